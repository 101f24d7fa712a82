"""Blind restoration of arrays and pictures: the library's front door."""

import dataclasses
import enum
import functools
import os
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from agarnet_jax import jpeg_tables, weights
from agarnet_jax.jpeg_tables import BLOCK, MAX_QUALITY, MIN_QUALITY
from agarnet_jax.models import (
    AGARNet,
    AGARNetConfig,
    EstimatorConfig,
    QualityEstimator,
    quality_map,
)
from agarnet_jax.restoration.pixels import LumaPlane, array_from_picture, pad_to_blocks

ImageT = TypeVar("ImageT", np.ndarray, Image.Image)


class QualitySource(enum.Enum):
    """How to estimate quality: once for the IMAGE (AGARNet-EST), or as pixel-wise MAP (-ESP)."""

    IMAGE = "image"
    MAP = "map"


@dataclasses.dataclass(frozen=True)
class Restored(Generic[ImageT]):
    """image: as it was given, restored. quality_map: (H, W) float32 in 1–100, what was assumed."""

    image: ImageT
    quality_map: np.ndarray


class Restorer:
    """Removes JPEG artifacts with one set of weights. Compiles once per (padded) image size."""

    def __init__(self, trained: weights.Weights):
        self.weights = trained
        # Configurations are closed over, parameters passed: constants would slow compilation.
        self._restore = functools.partial(
            jax.jit(functools.partial(_restore_luma, trained.restorer_config)),
            jax.device_put(trained.restorer_params),
        )
        self._estimate = functools.partial(
            jax.jit(
                functools.partial(_estimate_quality, trained.estimator_config),
                static_argnames="source",
            ),
            jax.device_put(trained.estimator_params),
        )

    @classmethod
    def from_pretrained(cls, name_or_path: str | os.PathLike = "tiny") -> "Restorer":
        """Shipped weights by name, or a weights file.

        Raises:
          ValueError: there are no such weights.
        """
        return cls(weights.load(name_or_path))

    def restore(
        self,
        image: ImageT,
        *,
        quality: float | np.ndarray | QualitySource | None = None,
        table: np.ndarray | None = None,
    ) -> Restored[ImageT]:
        """Restores one image; colour through its luma, chroma and alpha are kept.

        The 8×8 grid of the compression is taken to start at the top left corner.

        Args:
          image: an array (H, W) or (H, W, 1–4), uint8, uint16 or floating point in [0, 1] (see
            `pixels.LumaPlane`), or a Pillow image.
          quality: JPEG quality 1–100, one number or pixel-wise (H, W); or how to estimate it;
            None estimates one value for the image.
          table: the luma quantization table (8, 8), raster order, where it is known; otherwise
            it is derived from the quality.

        Returns:
          An image like the one given (Pillow images in modes with no array form, such as palette
          or CMYK, come back as RGB), and the quality map.

        Raises:
          ValueError: unsupported array, or quality or table out of range.
        """
        if isinstance(image, Image.Image):
            result = self.restore(array_from_picture(image), quality=quality, table=table)
            return Restored(Image.fromarray(result.image), result.quality_map)

        plane = LumaPlane.of(np.asarray(image))
        height, width = plane.luma.shape
        padded = pad_to_blocks(plane.luma, BLOCK)[None, :, :, None]
        if quality is None or isinstance(quality, QualitySource):
            source = quality or QualitySource.IMAGE
            assumed = np.asarray(self._estimate(padded, source=source))
        else:
            assumed = _given_quality(quality, (height, width))
        tables = None if table is None else _given_table(table)
        restored = np.asarray(self._restore(padded, assumed, tables))[0, :height, :width, 0]
        return Restored(
            plane.with_luma(restored),
            np.array(np.broadcast_to(assumed[0, ..., 0], padded.shape[1:3])[:height, :width]),
        )


def _estimate_quality(
    config: EstimatorConfig, params: Any, luma: jax.Array, *, source: QualitySource
) -> jax.Array:
    """Estimated quality 1–100: (1, 1, 1, 1), or (1, H, W, 1) for `QualitySource.MAP`."""
    estimate = QualityEstimator(config).apply({"params": params}, luma)
    quality = estimate.quality.reshape(-1, 1, 1, 1)
    if source is QualitySource.MAP:
        _, height, width, _ = luma.shape
        quality = quality_map(estimate.cells, height=height, width=width, placement=config.cells)
    return jnp.clip(quality, MIN_QUALITY, MAX_QUALITY)


def _restore_luma(
    config: AGARNetConfig,
    params: Any,
    luma: jax.Array,
    quality: jax.Array,
    tables: jax.Array | None,
) -> jax.Array:
    """Restored luma (1, H, W, 1), not clipped."""
    model = AGARNet(config)
    return model.apply({"params": params}, luma, quality=quality, tables=tables).restored


def _given_quality(quality: float | np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(1, 1, 1, 1), or pixel-wise (1, H, W, 1) padded to the block grid, float32."""
    values = np.asarray(quality, np.float32)
    if values.ndim == 0:
        values = values.reshape(1, 1)
    elif values.shape != size:
        raise ValueError(
            f"A pixel-wise quality must have the image's shape {size}, got {values.shape}."
        )
    if not (
        np.isfinite(values).all() and MIN_QUALITY <= values.min() <= values.max() <= MAX_QUALITY
    ):
        raise ValueError(
            f"JPEG quality must lie in {MIN_QUALITY}–{MAX_QUALITY}, got "
            f"{values.min():g} to {values.max():g}."
        )
    padded = values if values.shape == (1, 1) else pad_to_blocks(values, BLOCK)
    return padded[None, :, :, None]


def _given_table(table: np.ndarray) -> np.ndarray:
    """(1, 1, 1, 64) in the network's order and scale."""
    table = np.asarray(table)
    if table.shape != (BLOCK, BLOCK) or table.min() < 1:
        raise ValueError(
            f"A quantization table must be (8, 8) with entries of at least 1, got shape "
            f"{table.shape}."
        )
    return jpeg_tables.network_table(np.minimum(table, 255))[None, None, None]
