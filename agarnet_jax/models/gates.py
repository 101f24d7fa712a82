"""Gates, factors of features generated from quality and quantization table (`AGARNET.md` §3).

Quality is in (0, 1] here; `agarnet.py` scales it from 1–100.
"""

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from agarnet_jax.jpeg_tables import MAX_QUALITY
from agarnet_jax.models.blocks import average_pool
from agarnet_jax.models.config import AGARNetConfig
from agarnet_jax.models.untraced_init import Dense

# Slope of the correction's fade to 0 at quality 99. Measured with `tiny` on 100 crops of DIV2K at
# quality 98, 8-bit output: the correction lowers the PSNR of 20 crops (slope 1.0: of 33), by at
# most 0.10 dB (1.0: 0.24), and changes the mean by +0.03 dB (1.0: +0.04).
_FADE_SLOPE = 0.8


@flax.struct.dataclass
class PixelGateValues:
    """Gates of the U-Net's levels, after σ: in (0, 1), at each level's resolution."""

    level1: jax.Array  # (B, 1|H, 1|W, f)
    level2: jax.Array  # (B, 1|H/2, 1|W/2, 2f)
    level4: jax.Array  # (B, 1|H/4, 1|W/4, 4f)


class PixelGates(nn.Module):
    """G_pix: quality (B, 1|H, 1|W, 1) → affine 1→64, then one affine head per level, then σ.

    Everything before σ is affine, so pooling the quality to a level's resolution first gives the
    same result as pooling the head's output, at a fraction of the work.
    """

    config: AGARNetConfig

    @nn.compact
    def __call__(self, quality: jax.Array) -> PixelGateValues:
        features, dtype = self.config.pixel_features, self.config.compute_dtype.dtype
        stem = Dense(self.config.gate_features, dtype=dtype, name="stem")

        def gate(level: int) -> jax.Array:
            head = Dense(level * features, dtype=dtype, name=f"head{level}")
            return nn.sigmoid(head(stem(average_pool(quality, level))))

        return PixelGateValues(level4=gate(4), level2=gate(2), level1=gate(1))


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
    """Ours: quality (B, 1|H, 1|W, 1) → gain of the correction, in [0, 2), same shape.

    The amount of distortion changes fastest close to quality 100, so the gate also gets the
    logarithm of the distance to 100. The initial gain is 1. From quality 97.75 on, where there is
    little to correct, the gain fades; it is 0 from 99 on, where the errors are mostly the rounding
    of pixel values, which cannot be predicted.
    """

    config: AGARNetConfig

    @nn.compact
    def __call__(self, quality: jax.Array) -> jax.Array:
        distance = jnp.log(1.01 - quality)
        hidden = Dense(self.config.gate_features, name="stem")(
            jnp.concatenate([quality, distance], axis=-1)
        )
        head = Dense(1, kernel_init=nn.initializers.zeros_init(), name="head")
        gain = 2 * nn.sigmoid(head(nn.relu(hidden)))
        return gain * jnp.clip(_FADE_SLOPE * (99 - MAX_QUALITY * quality), 0, 1)
