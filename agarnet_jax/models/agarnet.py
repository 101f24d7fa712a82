"""AGARNet, the restorer: gates, DCT branch, pixel branch, weighted sum (`AGARNET.md` §1, §5)."""

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from agarnet_jax.dct import block_dct, block_idct
from agarnet_jax.image_arrays import as_images
from agarnet_jax.jpeg_tables import (
    BLOCK,
    FREQUENCIES,
    MAX_QUALITY,
    MIN_QUALITY,
    network_tables_by_quality,
)
from agarnet_jax.models.blocks import average_pool
from agarnet_jax.models.config import AGARNetConfig
from agarnet_jax.models.dct_branch import DctBranch
from agarnet_jax.models.gates import CorrectionGate, DctQualityGate, DctTableGate, PixelGates
from agarnet_jax.models.pixel_branch import PixelBranch


@flax.struct.dataclass
class AGARNetOutput:
    """Restored images, (B, H, W, 1) float32, not clipped to [0, 1].

    restored: the network's result.
    dct_restored: the image reconstructed by the DCT branch alone.
    """

    restored: jax.Array
    dct_restored: jax.Array


class AGARNet(nn.Module):
    """Restores luma images degraded by JPEG compression.

    Args of `apply`:
      image: (B, H, W, 1) in [0, 1]; H and W are multiples of 8, the JPEG grid starts at (0, 0).
      quality: JPEG quality 1–100, clipped to this range: a scalar, (B, 1, 1, 1), or pixel-wise
        (B, H, W, 1).
      tables: quantization tables (B, 1|h, 1|w, 64) in the network's order and scale
        (`jpeg_tables.network_table`), or None to derive them from quality.

    Raises:
      ValueError: a shape does not fit, or image or tables are integers.
    """

    config: AGARNetConfig

    @nn.compact
    def __call__(
        self,
        image: ArrayLike,
        *,
        quality: ArrayLike,
        tables: ArrayLike | None = None,
    ) -> AGARNetOutput:
        config = self.config
        image = as_images(image, "image", channels=1)
        pixel_gates, quality_gate, table_gate = None, None, None
        if config.gates:
            quality = _check_quality(quality, image.shape)
            quality_per_block = block_quality(quality)
            if tables is None:
                tables = _derive_tables(quality_per_block, config)
            tables = _check_tables(tables, image.shape)
            pixel_gates = PixelGates(config, name="pixel_gates")(quality / MAX_QUALITY)
            quality_gate = DctQualityGate(config, name="dct_quality_gate")(
                quality_per_block / MAX_QUALITY
            )
            table_gate = DctTableGate(config, name="dct_table_gate")(tables)

        coefficients = DctBranch(config, name="dct_branch")(
            block_dct(image), quality_gate, table_gate
        )
        dct_restored = block_idct(coefficients)
        correction = PixelBranch(config, name="pixel_branch")(image, pixel_gates)
        # w0 and w1 (§5), a 1×1 convolution without bias in the released graph. With these initial
        # values, and a pixel branch that outputs zero, an untrained network returns its input.
        blend = self.param("blend", lambda _: jnp.array([0.0, 1.0], jnp.float32))
        restored = correction + blend[0] * dct_restored + blend[1] * image
        if config.correction_gate:
            gain = CorrectionGate(config, name="correction_gate")(quality / MAX_QUALITY)
            restored = image + gain * (restored - image)
        return AGARNetOutput(restored=restored, dct_restored=dct_restored)


def _check_quality(quality: ArrayLike, image_shape: tuple[int, ...]) -> jax.Array:
    """Returns quality 1–100 as (B, 1, 1, 1) or (B, H, W, 1) float32, clipped to this range."""
    batch, height, width, _ = image_shape
    quality = jnp.asarray(quality, jnp.float32)
    if quality.ndim == 0:
        quality = jnp.broadcast_to(quality, (batch, 1, 1, 1))
    if quality.shape not in {(batch, 1, 1, 1), (batch, height, width, 1)}:
        raise ValueError(
            f"quality has shape {quality.shape}; expected a scalar, {(batch, 1, 1, 1)} or "
            f"{(batch, height, width, 1)} for an image of shape {image_shape}."
        )
    return jnp.clip(quality, MIN_QUALITY, MAX_QUALITY)


def _check_tables(tables: ArrayLike, image_shape: tuple[int, ...]) -> jax.Array:
    tables = jnp.asarray(tables)
    batch, height, width, _ = image_shape
    rows, cols = height // BLOCK, width // BLOCK
    fits = (
        jnp.issubdtype(tables.dtype, jnp.floating)
        and tables.ndim == 4
        and tables.shape[0] == batch
        and tables.shape[1] in {1, rows}
        and tables.shape[2] in {1, cols}
        and tables.shape[3] == FREQUENCIES
    )
    if not fits:
        raise ValueError(
            f"tables are {tables.dtype} {tables.shape}; expected floats ({batch}, 1|{rows}, "
            f"1|{cols}, 64), as from `agarnet_jax.jpeg_tables.network_table`, for an image "
            f"of shape {image_shape}."
        )
    return tables.astype(jnp.float32)


def block_quality(quality: jax.Array) -> jax.Array:
    """Averages quality over each 8×8 block and rounds it to an integer (`AGARNET.md` §1).

    (B, H, W, 1) becomes (B, H/8, W/8, 1); an image-wide quality, (B, 1, 1, 1), keeps its shape.
    """
    return jnp.round(average_pool(quality, BLOCK))


def _derive_tables(quality_per_block: jax.Array, config: AGARNetConfig) -> jax.Array:
    tables = jnp.asarray(network_tables_by_quality(config.table_scaling))
    return tables[quality_per_block[..., 0].astype(jnp.int32)]
