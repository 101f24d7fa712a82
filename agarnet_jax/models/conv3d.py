"""3×3×3 convolution over (frequency, h, w) in three formulations (`formulations.py`).

All have the same parameters: kernel (3, 3, 3, in, out), bias (out,).
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from agarnet_jax.models.conv2d import packed_conv2d
from agarnet_jax.models.formulations import Conv3DFormulation
from agarnet_jax.models.untraced_init import UntracedInitModule
from agarnet_jax.models.winograd import winograd_conv3d


class Conv3D(UntracedInitModule):
    """3×3×3 SAME convolution: (B, D, h, w, in) to (B, D, h, w, features); D is 64 in AGARNet."""

    features: int
    formulation: Conv3DFormulation
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (3, 3, 3, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), jnp.float32)
        formulation = self.formulation.resolve(in_features=x.shape[-1], features=self.features)
        out = CONV3D[formulation](x.astype(self.dtype), kernel.astype(self.dtype))
        return out + bias.astype(self.dtype).reshape(1, 1, 1, 1, -1)


def native_conv3d(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Computes the convolution with XLA's 3D convolution."""
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1, 1), "SAME", dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
    )


def stacked_conv3d(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Computes the convolution in 2D, with three neighbouring slices stacked as channels."""
    batch, depth, rows, cols, channels = x.shape
    taps = kernel.shape[0]
    padded = jnp.pad(x, ((0, 0), (taps // 2, taps // 2), (0, 0), (0, 0), (0, 0)))
    slices = jnp.concatenate([padded[:, t : t + depth] for t in range(taps)], axis=-1)
    # (depth, y, x, in, out) → (y, x, depth·in, out), matching the order of the stacked channels.
    kernel_2d = jnp.moveaxis(kernel, 0, 2).reshape(*kernel.shape[1:3], taps * channels, -1)
    stacked = slices.reshape(batch * depth, rows, cols, taps * channels)
    return packed_conv2d(stacked, kernel_2d).reshape(batch, depth, rows, cols, -1)


CONV3D: dict[Conv3DFormulation, Callable[[jax.Array, jax.Array], jax.Array]] = {
    Conv3DFormulation.NATIVE: native_conv3d,
    Conv3DFormulation.STACKED: stacked_conv3d,
    Conv3DFormulation.WINOGRAD: winograd_conv3d,
}
