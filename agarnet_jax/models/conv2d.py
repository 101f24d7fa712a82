"""3×3 convolution over (h, w), also in a formulation that suits XLA:CPU and few channels.

XLA:CPU's fast convolution kernels want at least some 24 channels. With fewer, PACKED takes 2 or 4
horizontal neighbours for one pixel of as many times the channels; the kernel, laid out for that,
is mostly zeros, and still two to eight times faster. Sums have the same terms as before.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from agarnet_jax.models.formulations import Conv2DFormulation
from agarnet_jax.models.untraced_init import UntracedInitModule


class Conv2D(UntracedInitModule):
    """3×3 SAME convolution: (B, H, W, in) to (B, H, W, features). Parameters as of `nn.Conv`."""

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
    """Convolves (B, H, W, in) with (3, 3, in, out) to (B, H, W, out), zeros outside."""
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@jax.custom_vjp
def packed_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Computes `conv2d` with 1, 2 or 4 neighbours packed, as channels and width suggest.

    Its gradients are the same kind of convolution for the input, and the plain one for the
    kernel, where packing would multiply the work.
    """
    batch, height, width, channels = x.shape
    pack = _packing(channels, kernel.shape[3], width)
    if pack == 1:
        return conv2d(x, kernel)
    packed = x.reshape(batch, height, width // pack, pack * channels)
    return conv2d(packed, _packed_kernel(kernel, pack)).reshape(batch, height, width, -1)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return packed_conv2d(x, kernel), (x, kernel)


def _backward(
    residuals: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = residuals
    return packed_conv2d(gradient, flipped(kernel)), kernel_gradient(x, gradient)


packed_conv2d.defvjp(_forward, _backward)


def flipped(kernel: jax.Array) -> jax.Array:
    """Turns a kernel (…, in, out) around, and swaps in and out, for the gradient by the input."""
    return jnp.flip(kernel, range(kernel.ndim - 2)).swapaxes(-1, -2)


def kernel_gradient(x: jax.Array, gradient: jax.Array) -> jax.Array:
    """Computes the gradient of `conv2d` by its kernel, (3, 3, in, out)."""
    any_kernel = jnp.zeros((3, 3, x.shape[-1], gradient.shape[-1]), x.dtype)
    _, vjp = jax.vjp(lambda kernel: conv2d(x, kernel), any_kernel)
    return vjp(gradient)[0]


def _packing(channels: int, features: int, width: int) -> int:
    """Chooses how many neighbours to take together; measured, see `docs/performance.md`."""
    narrow = min(channels, features) <= 8 and max(channels, features) <= 16
    pack = 4 if narrow else 2 if max(channels, features) <= 16 else 1
    while width % pack:
        pack //= 2
    return pack


def _packed_kernel(kernel: jax.Array, pack: int) -> jax.Array:
    """Lays out (3, 3, in, out) as (3, 3, pack · in, pack · out)."""
    # One for each (tap, packed tap, input neighbour, output neighbour) that belong together.
    layout = np.zeros((3, 3, pack, pack), np.float32)
    for tap in range(3):
        for out in range(pack):
            place = pack + out + tap - 1
            layout[tap, place // pack, place % pack, out] = 1
    packed = jnp.einsum(
        "tgpq,ytio->ygpiqo", layout.astype(kernel.dtype), kernel, precision="highest"
    )
    return packed.reshape(3, 3, pack * kernel.shape[2], pack * kernel.shape[3])
