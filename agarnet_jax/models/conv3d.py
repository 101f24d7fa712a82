"""3×3×3 convolution over (frequency, h, w) in two exact formulations.

On TPU and GPU the native 3D convolution is best. XLA:CPU has no fast path for it; there the three
neighbouring frequency slices are stacked as channels of one 2D convolution, which it does have.
Parameters are the same either way: kernel (3, 3, 3, in, out), bias (out,).
"""

import enum

import flax.linen as nn
import jax
import jax.numpy as jnp


class Conv3DFormulation(enum.Enum):
    """AUTO: the faster one for the default backend (`resolve`); NATIVE; STACKED slices."""

    AUTO = "auto"
    NATIVE = "native"
    STACKED = "stacked"

    def resolve(self) -> "Conv3DFormulation":
        """The one place that chooses a formulation for a platform."""
        if self is not Conv3DFormulation.AUTO:
            return self
        on_cpu = jax.default_backend() == "cpu"
        return Conv3DFormulation.STACKED if on_cpu else Conv3DFormulation.NATIVE


def _native(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1, 1), "SAME", dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
    )


def _stacked(x: jax.Array, kernel: jax.Array) -> jax.Array:
    batch, depth, rows, cols, channels = x.shape
    taps = kernel.shape[0]
    padded = jnp.pad(x, ((0, 0), (taps // 2, taps // 2), (0, 0), (0, 0), (0, 0)))
    slices = jnp.concatenate([padded[:, t : t + depth] for t in range(taps)], axis=-1)
    # (depth, y, x, in, out) → (y, x, depth·in, out), matching the order of the stacked channels.
    kernel_2d = jnp.moveaxis(kernel, 0, 2).reshape(*kernel.shape[1:3], taps * channels, -1)
    out = jax.lax.conv_general_dilated(
        slices.reshape(batch * depth, rows, cols, taps * channels),
        kernel_2d,
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return out.reshape(batch, depth, rows, cols, -1)


class Conv3D(nn.Module):
    """3×3×3 SAME convolution: (B, D, h, w, in) to (B, D, h, w, features)."""

    features: int
    formulation: Conv3DFormulation
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (3, 3, 3, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        native = self.formulation.resolve() is Conv3DFormulation.NATIVE
        convolve = _native if native else _stacked
        out = convolve(x.astype(self.dtype), kernel.astype(self.dtype))
        return out + bias.astype(self.dtype).reshape(1, 1, 1, 1, -1)
