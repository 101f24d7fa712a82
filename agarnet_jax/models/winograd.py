"""Winograd F(4,3) along the first spatial axis of a 3×3×3 convolution, 2D convolutions inside.

Four output slices come from six input slices by six 2D convolutions, where the direct way takes
twelve (Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, with the
interpolation points 0, ±1, ±2, ∞). The gradient by the kernel is computed between the transforms
too, at the same saving.
"""

import jax
import jax.numpy as jnp
import numpy as np

from agarnet_jax.models.conv2d import flipped, kernel_gradient, packed_conv2d

TILE = 4  # output slices of one tile

_INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_KERNEL = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    np.float32,
)
_OUTPUT = np.array(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
)


@jax.custom_vjp
def winograd_conv3d(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolves (B, D, h, w, in), D a multiple of 4, with (3, 3, 3, in, out): (B, D, h, w, out).

    Raises:
      ValueError: another D.
    """
    if x.shape[1] % TILE:
        raise ValueError(
            f"Winograd's slices are a multiple of {TILE}, got {x.shape[1]}; use "
            "Conv3DFormulation.STACKED or NATIVE."
        )
    transformed = jnp.einsum(
        "st,tyxio->syxio", _KERNEL.astype(x.dtype), kernel, precision="highest"
    )
    products = [packed_conv2d(slices, one) for slices, one in zip(_transform_input(x), transformed)]
    batch, depth, rows, cols, _ = x.shape
    tiles = [y.reshape(batch, depth // TILE, rows, cols, -1) for y in _combine(_OUTPUT, products)]
    return jnp.stack(tiles, axis=2).reshape(batch, depth, rows, cols, -1)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return winograd_conv3d(x, kernel), (x, kernel)


def _backward(
    residuals: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = residuals
    slices = _transform_input(x)
    spread = _combine(_OUTPUT.T, [_as_batch(gradient[:, i::TILE]) for i in range(TILE)])
    transformed = jnp.stack([kernel_gradient(a, b) for a, b in zip(slices, spread)])
    by_kernel = jnp.einsum(
        "st,syxio->tyxio", _KERNEL.astype(x.dtype), transformed, precision="highest"
    )
    return winograd_conv3d(gradient, flipped(kernel)), by_kernel


winograd_conv3d.defvjp(_forward, _backward)


def _transform_input(x: jax.Array) -> list[jax.Array]:
    """Makes six arrays (B · D/4, h, w, in) of the overlapping tiles of six slices."""
    depth = x.shape[1]
    padded = jnp.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0), (0, 0)))
    slices = [_as_batch(padded[:, i : i + depth - 3 : TILE]) for i in range(len(_INPUT))]
    return _combine(_INPUT, slices)


def _as_batch(x: jax.Array) -> jax.Array:
    return x.reshape(-1, *x.shape[2:])


def _combine(matrix: np.ndarray, arrays: list[jax.Array]) -> list[jax.Array]:
    """Multiplies the matrix by the arrays, as sums that XLA fuses; zeros cost nothing."""
    return [
        sum(float(factor) * array for factor, array in zip(row, arrays) if factor)  # type: ignore
        for row in matrix
    ]
