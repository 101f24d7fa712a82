"""3×3×3 convolution by Winograd's F(4, 3) along the first spatial axis, with 2D convolutions.

Four output slices are computed from six input slices by six 2D convolutions instead of twelve
(Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, with the interpolation
points 0, ±1, ±2, ∞). The kernel gradient is computed in the transformed domain too, with the same
saving.
"""

import jax
import jax.numpy as jnp
import numpy as np

from agarnet_jax.models.conv2d import adjoint_kernel, kernel_gradient, packed_conv2d

TILE = 4  # output slices of one tile

# The transforms Bᵀ, G and Aᵀ of Lavin & Gray.
_INPUT_TRANSFORM = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_KERNEL_TRANSFORM = np.array(
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
_OUTPUT_TRANSFORM = np.array(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
)


@jax.custom_vjp
def winograd_conv3d(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolves (B, D, h, w, in), D a multiple of 4, with (3, 3, 3, in, out) to (B, D, h, w, out).

    Raises:
      ValueError: D is not a multiple of 4.
    """
    if x.shape[1] % TILE:
        raise ValueError(
            f"Conv3DFormulation.WINOGRAD needs a depth that is a multiple of {TILE}, got "
            f"{x.shape[1]}; use STACKED or NATIVE."
        )
    transformed = jnp.einsum(
        "st,tyxio->syxio", _KERNEL_TRANSFORM.astype(x.dtype), kernel, precision="highest"
    )
    products = [
        packed_conv2d(slices, kernel_2d)
        for slices, kernel_2d in zip(_transform_input(x), transformed)
    ]
    batch, depth, rows, cols, _ = x.shape
    outputs = [
        y.reshape(batch, depth // TILE, rows, cols, -1)
        for y in _apply_transform(_OUTPUT_TRANSFORM, products)
    ]
    return jnp.stack(outputs, axis=2).reshape(batch, depth, rows, cols, -1)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return winograd_conv3d(x, kernel), (x, kernel)


def _backward(
    residuals: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = residuals
    slices = _transform_input(x)
    gradients = _apply_transform(
        _OUTPUT_TRANSFORM.T, [_fold_into_batch(gradient[:, i::TILE]) for i in range(TILE)]
    )
    transformed = jnp.stack([kernel_gradient(a, b) for a, b in zip(slices, gradients)])
    grad_kernel = jnp.einsum(
        "st,syxio->tyxio", _KERNEL_TRANSFORM.astype(x.dtype), transformed, precision="highest"
    )
    return winograd_conv3d(gradient, adjoint_kernel(kernel)), grad_kernel


winograd_conv3d.defvjp(_forward, _backward)


def _transform_input(x: jax.Array) -> list[jax.Array]:
    """Transforms the overlapping tiles of six slices: six arrays (B · D/4, h, w, in)."""
    depth = x.shape[1]
    padded = jnp.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0), (0, 0)))
    slices = [
        _fold_into_batch(padded[:, i : i + depth - 3 : TILE]) for i in range(len(_INPUT_TRANSFORM))
    ]
    return _apply_transform(_INPUT_TRANSFORM, slices)


def _fold_into_batch(x: jax.Array) -> jax.Array:
    return x.reshape(-1, *x.shape[2:])


def _apply_transform(matrix: np.ndarray, arrays: list[jax.Array]) -> list[jax.Array]:
    """Multiplies the matrix by the arrays, as sums that XLA fuses; zero entries cost nothing."""
    return [
        sum(float(factor) * array for factor, array in zip(row, arrays) if factor)  # type: ignore
        for row in matrix
    ]
