"""Blocks and resampling of the pixel branch (`AGARNET.md` §5). Feature maps are (B, H, W, C)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from agarnet_jax.models.config import AGARNetConfig
from agarnet_jax.models.conv2d import Conv2D

RESIDUAL_SCALE = 0.1


class ResBlock(nn.Module):
    """x + 0.1 · t, or with a gate x + 0.1 · tanh(t · gate), with t = conv(ReLU(conv(x))).

    Both 3×3 convolutions have as many features as x. `gate`, from `gates.PixelGates`, is
    (B, 1, 1, C) or (B, H, W, C), in (0, 1).
    """

    config: AGARNetConfig

    @nn.compact
    def __call__(self, x: jax.Array, gate: jax.Array | None) -> jax.Array:
        features, dtype = x.shape[-1], self.config.compute_dtype.dtype
        t = nn.relu(Conv2D(features, self.config.conv2d, dtype, name="conv1")(x))
        t = Conv2D(features, self.config.conv2d, dtype, name="conv2")(t)
        return x + RESIDUAL_SCALE * (t if gate is None else jnp.tanh(t * gate))


def average_pool(x: jax.Array, factor: int) -> jax.Array:
    """Averages (B, H, W, C) over factor×factor windows; H and W are multiples of it, or stay 1."""
    fy = factor if x.shape[1] > 1 else 1
    fx = factor if x.shape[2] > 1 else 1
    return nn.avg_pool(x, (fy, fx), strides=(fy, fx)) if factor > 1 else x


def upsample_2x(x: jax.Array) -> jax.Array:
    """Doubles H and W bilinearly, as TensorFlow 1's legacy resize (`AGARNET.md` §5).

    out[2i] = x[i], out[2i+1] = (x[i] + x[min(i+1, n−1)]) / 2 along rows, then columns.
    """
    return _upsample_axis(_upsample_axis(x, 1), 2)


def _upsample_axis(x: jax.Array, axis: int) -> jax.Array:
    n = x.shape[axis]
    shifted = jnp.concatenate(
        [jax.lax.slice_in_dim(x, 1, n, axis=axis), jax.lax.slice_in_dim(x, n - 1, n, axis=axis)],
        axis=axis,
    )
    pairs = jnp.stack([x, (x + shifted) / 2], axis=axis + 1)
    return pairs.reshape(*x.shape[:axis], 2 * n, *x.shape[axis + 1 :])
