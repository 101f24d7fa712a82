"""Gate generators: from quality and quantization table to factors on features (`AGARNET.md` §3).

Inside this module quality is in (0, 1]; `agarnet.py` scales it from 1–100.
"""

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from agarnet_jax.jpeg_tables import MAX_QUALITY
from agarnet_jax.models.blocks import average_pool
from agarnet_jax.models.config import AGARNetConfig
from agarnet_jax.models.untraced_init import Dense

# How fast the correction fades towards 99. With `tiny`, in 8 bits at 98, 20 of 100 crops of DIV2K
# lose by it instead of 33 at 1.0, 0.10 dB at most instead of 0.24; the mean is +0.03, not +0.04.
_FADE = 0.8


@flax.struct.dataclass
class PixelOpenings:
    """How far the gated blocks of each U-Net level open, σ(gate), at that level's resolution."""

    level1: jax.Array  # (B, 1|H, 1|W, f)
    level2: jax.Array  # (B, 1|H/2, 1|W/2, 2f)
    level4: jax.Array  # (B, 1|H/4, 1|W/4, 4f)


class PixelGates(nn.Module):
    """G_pix: quality (B, 1|H, 1|W, 1) → affine 1→64, then one affine head per level.

    There is no activation before σ, so the quality is pooled to each level's resolution first:
    the result is that of pooling the heads' output, at a fraction of the work.
    """

    config: AGARNetConfig

    @nn.compact
    def __call__(self, quality: jax.Array) -> PixelOpenings:
        features, dtype = self.config.pixel_features, self.config.compute_dtype.dtype
        stem = Dense(self.config.gate_features, dtype=dtype, name="stem")

        def opening(level: int) -> jax.Array:
            head = Dense(level * features, dtype=dtype, name=f"head{level}")
            return nn.sigmoid(head(stem(average_pool(quality, level))))

        return PixelOpenings(level4=opening(4), level2=opening(2), level1=opening(1))


class DctQualityGate(nn.Module):
    """G_dctQ: block quality (B, 1|h, 1|w, 1) → (B, 1, 1|h, 1|w, dct_features)."""

    config: AGARNetConfig

    @nn.compact
    def __call__(self, block_quality: jax.Array) -> jax.Array:
        dtype = self.config.compute_dtype.dtype
        hidden = Dense(self.config.gate_features, dtype=dtype, name="stem")(block_quality)
        return Dense(self.config.dct_features, dtype=dtype, name="head")(hidden)[:, None]


class DctTableGate(nn.Module):
    """G_dctT: table map (B, 1|h, 1|w, 64) → (B, 64, 1|h, 1|w, 1)."""

    config: AGARNetConfig

    @nn.compact
    def __call__(self, tables: jax.Array) -> jax.Array:
        frequencies, dtype = tables.shape[-1], self.config.compute_dtype.dtype
        hidden = nn.relu(Dense(frequencies, dtype=dtype, name="stem")(tables))
        gate = Dense(frequencies, dtype=dtype, name="head")(hidden)
        return jnp.moveaxis(gate, -1, 1)[..., None]


class CorrectionGate(nn.Module):
    """Ours: quality (B, 1|H, 1|W, 1) → how much of the correction to apply, in [0, 2), same shape.

    The last qualities before 100 differ most in what there is to correct, so it sees the logarithm
    of the distance to 100, too. Starts at 1. From 99 on it is 0: what is wrong there is mostly the
    rounding of pixels, which nothing tells. It fades from 97.75 on, where there is little to win.
    """

    config: AGARNetConfig

    @nn.compact
    def __call__(self, quality: jax.Array) -> jax.Array:
        distance = jnp.log(1.01 - quality)
        hidden = Dense(self.config.gate_features, name="stem")(
            jnp.concatenate([quality, distance], axis=-1)
        )
        head = Dense(1, kernel_init=nn.initializers.zeros_init(), name="head")
        share = 2 * nn.sigmoid(head(nn.relu(hidden)))
        return share * jnp.clip(_FADE * (99 - MAX_QUALITY * quality), 0, 1)
