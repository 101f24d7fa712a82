"""3×3 convolution over (h, w), with a second formulation that is fast on XLA:CPU for few channels.

XLA:CPU's fast convolution kernels need about 24 channels or more. For fewer, PACKED packs 2 or 4
horizontal neighbours into one pixel with 2 or 4 times the channels. The packed kernel is mostly
zeros, yet the convolution is two to eight times faster. The non-zero terms of each sum are the
same.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from agarnet_jax.models.formulations import Conv2DFormulation
from agarnet_jax.models.untraced_init import UntracedInitModule


class Conv2D(UntracedInitModule):
    """3×3 SAME convolution: (B, H, W, in) to (B, H, W, features). Parameters as in `nn.Conv`."""

    features: int
    formulation: Conv2DFormulation
    dtype: jnp.dtype
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (3, 3, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), jnp.float32)
        packed = self.formulation.resolve() is Conv2DFormulation.PACKED
        convolve = packed_conv2d if packed else conv2d
        out = convolve(x.astype(self.dtype), kernel.astype(self.dtype))
        return out + bias.astype(self.dtype).reshape(1, 1, 1, -1)


def conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolves (B, H, W, in) with (3, 3, in, out), zero-padded, to (B, H, W, out)."""
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@jax.custom_vjp
def packed_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Computes `conv2d` with 1, 2 or 4 neighbours packed, depending on channels and width.

    The input gradient is a packed convolution too. The kernel gradient is not packed, since packing
    would multiply its work.
    """
    batch, height, width, channels = x.shape
    pack = _pack_factor(channels, kernel.shape[3], width)
    if pack == 1:
        return conv2d(x, kernel)
    packed = x.reshape(batch, height, width // pack, pack * channels)
    return conv2d(packed, _pack_kernel(kernel, pack)).reshape(batch, height, width, -1)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return packed_conv2d(x, kernel), (x, kernel)


def _backward(
    residuals: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = residuals
    return packed_conv2d(gradient, adjoint_kernel(kernel)), kernel_gradient(x, gradient)


packed_conv2d.defvjp(_forward, _backward)


def adjoint_kernel(kernel: jax.Array) -> jax.Array:
    """Flips a kernel (…, in, out) spatially and swaps in and out, for the input gradient."""
    return jnp.flip(kernel, range(kernel.ndim - 2)).swapaxes(-1, -2)


def kernel_gradient(x: jax.Array, gradient: jax.Array) -> jax.Array:
    """Computes the gradient of `conv2d` with respect to its kernel, (3, 3, in, out)."""
    any_kernel = jnp.zeros((3, 3, x.shape[-1], gradient.shape[-1]), x.dtype)
    _, vjp = jax.vjp(lambda kernel: conv2d(x, kernel), any_kernel)
    return vjp(gradient)[0]


def _pack_factor(channels: int, features: int, width: int) -> int:
    """Chooses how many neighbours to pack, from the measurements in `docs/performance.md`."""
    narrow = min(channels, features) <= 8 and max(channels, features) <= 16
    pack = 4 if narrow else 2 if max(channels, features) <= 16 else 1
    while width % pack:
        pack //= 2
    return pack


def _pack_kernel(kernel: jax.Array, pack: int) -> jax.Array:
    """Returns the kernel (3, 3, pack · in, pack · out) of the packed convolution."""
    # 1 where (tap, packed tap, input neighbour, output neighbour) belong together.
    layout = np.zeros((3, 3, pack, pack), np.float32)
    for tap in range(3):
        for out in range(pack):
            position = pack + out + tap - 1
            layout[tap, position // pack, position % pack, out] = 1
    packed = jnp.einsum(
        "tgpq,ytio->ygpiqo", layout.astype(kernel.dtype), kernel, precision="highest"
    )
    return packed.reshape(3, 3, pack * kernel.shape[2], pack * kernel.shape[3])
