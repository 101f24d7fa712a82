"""Blind restoration of arrays and pictures: the library's front door."""

import dataclasses
import enum
import functools
import os
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from agarnet_jax import jpeg_tables, weights
from agarnet_jax.jpeg_tables import BLOCK, MAX_QUALITY, MIN_QUALITY
from agarnet_jax.models import (
    CELL,
    AGARNet,
    AGARNetConfig,
    CellPlacement,
    EstimatorConfig,
    QualityEstimator,
    mean_over_area,
    quality_map,
)
from agarnet_jax.models.blocks import average_pool
from agarnet_jax.restoration.pixels import LumaPlane, array_from_picture
from agarnet_jax.restoration.tiling import Tiling, apply_tiled
from agarnet_jax.sharding import make_mesh, replicated, split_by_batch

# Its cells see 90 pixels around them.
_ESTIMATOR_TILE, _ESTIMATOR_OVERLAP = 12 * CELL, 2 * CELL

# Where each entry of a transposed table stands in the network's order of the table.
_TRANSPOSED_ENTRIES = np.argsort(jpeg_tables.TRANSPOSED_ZIGZAG)[jpeg_tables.ZIGZAG]

ImageT = TypeVar("ImageT", np.ndarray, Image.Image)


class QualitySource(enum.Enum):
    """How to estimate quality: once for the IMAGE (AGARNet-EST), or as pixel-wise MAP (-ESP)."""

    IMAGE = "image"
    MAP = "map"


class Orientation(enum.Enum):
    """How an image lies beside the one that was compressed.

    TRANSPOSED: rows and columns are exchanged, and so are they in tables derived from quality.
    Mirroring either way changes only signs of coefficients, hence no table.
    """

    UPRIGHT = "upright"
    TRANSPOSED = "transposed"


@dataclasses.dataclass(frozen=True)
class Restored(Generic[ImageT]):
    """image: as it was given, restored. quality_map: (H, W) float32 in 1–100, what was assumed."""

    image: ImageT
    quality_map: np.ndarray


class Restorer:
    """Removes JPEG artifacts with one set of weights.

    An image with a side of more than `tile` is processed in overlapping tiles, one on each device
    at a time, so that memory hardly grows with the image and all large images share one
    compiled program; smaller ones are compiled once for each (padded) size. Programs call
    `agarnet_jax.runtime.prepare` first, which is faster on CPU.
    """

    def __init__(
        self,
        trained: weights.Weights,
        *,
        tile: int | None = 512,
        overlap: int = 32,
        devices: Sequence[jax.Device] | None = None,
    ):
        """
        Args:
          trained: the weights.
          tile: largest side of a tile, a multiple of 64; None processes images whole.
          overlap: how many pixels around a tile are computed and thrown away, a multiple of 8.
            Pixels more than 32 away change the result of `tiny` by less than 0.2 of 255 levels
            (measured); deeper networks see further.
          devices: what computes; None: all local devices. Restorers of one device each, called
            from threads, restore several images at a time.

        Raises:
          ValueError: an impossible tile or overlap.
        """
        if tile is not None and (tile < CELL or tile % CELL):
            raise ValueError(f"tile is {tile}; use a multiple of {CELL}, or None for no tiles.")
        if overlap < 0 or overlap % BLOCK or (tile is not None and 2 * overlap >= tile):
            raise ValueError(f"overlap is {overlap}; use a multiple of 8 below half of the tile.")
        self.weights = trained
        self._restoring = Tiling(tile, overlap, grid=BLOCK, padding="edge")
        self._estimating = Tiling(
            None if tile is None else _ESTIMATOR_TILE,
            _ESTIMATOR_OVERLAP,
            grid=CELL,
            padding="symmetric",
            scale=CELL,
        )
        mesh = make_mesh(jax.local_devices() if devices is None else devices)
        everywhere, split = replicated(mesh), split_by_batch(mesh)
        self._batch_size = mesh.size
        # Configurations are closed over, parameters passed: constants would slow compilation.
        restorer_params = jax.device_put(trained.restorer_params, everywhere)
        self._restore = {
            orientation: functools.partial(
                jax.jit(
                    functools.partial(_restore_luma, trained.restorer_config, orientation),
                    in_shardings=(everywhere, everywhere, split, split),
                    out_shardings=split,
                ),
                restorer_params,
            )
            for orientation in Orientation
        }
        self._estimate = functools.partial(
            jax.jit(
                functools.partial(_estimate_cells, trained.estimator_config),
                in_shardings=(everywhere, split),
                out_shardings=split,
            ),
            jax.device_put(trained.estimator_params, everywhere),
        )

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | os.PathLike = "tiny", **options: Any
    ) -> "Restorer":
        """Shipped weights by name, or a weights file; options as of the class.

        Raises:
          ValueError: there are no such weights.
        """
        return cls(weights.load(name_or_path), **options)

    def restore(
        self,
        image: ImageT,
        *,
        quality: float | np.ndarray | QualitySource | None = None,
        table: np.ndarray | None = None,
        orientation: Orientation = Orientation.UPRIGHT,
    ) -> Restored[ImageT]:
        """Restores one image; colour through its luma, chroma and alpha are kept.

        The 8×8 grid of the compression is taken to start at the top left corner.

        Args:
          image: an array (H, W) or (H, W, 1–4), uint8, uint16 or floating point in [0, 1] (see
            `pixels.LumaPlane`), or a Pillow image.
          quality: JPEG quality 1–100, one number or pixel-wise (H, W); or how to estimate it;
            None estimates one value for the image.
          table: the luma quantization table (8, 8), raster order, where it is known, lying as
            the image does; otherwise it is derived from the quality.
          orientation: TRANSPOSED for an image that was transposed after its compression.

        Returns:
          An image like the one given (Pillow images in modes with no array form, such as palette
          or CMYK, come back as RGB), and the quality map.

        Raises:
          ValueError: unsupported array, or quality or table out of range.
        """
        if isinstance(image, Image.Image):
            result = self.restore(
                array_from_picture(image), quality=quality, table=table, orientation=orientation
            )
            return Restored(Image.fromarray(result.image), result.quality_map)

        plane = LumaPlane.of(np.asarray(image))
        size = plane.luma.shape
        if quality is None or isinstance(quality, QualitySource):
            cells = self._estimated_cells(plane.luma)
            assumed = self._quality(cells, size, quality or QualitySource.IMAGE)
        else:
            assumed = _given_quality(quality, size)
        tables = None if table is None else _given_table(table, self._batch_size)
        restored = apply_tiled(
            lambda luma, quality: np.asarray(self._restore[orientation](tables, luma, quality)),
            [plane.luma, assumed],
            tiling=self._restoring,
            batch_size=self._batch_size,
        )
        return Restored(plane.with_luma(restored), np.broadcast_to(assumed, size))

    def estimate(
        self, image: np.ndarray, *, sources: Sequence[QualitySource] = tuple(QualitySource)
    ) -> dict[QualitySource, np.ndarray]:
        """What `restore` would estimate of an array, in several forms at the cost of one.

        Returns:
          Quality 1–100, float32: () for `QualitySource.IMAGE`, (H, W) for MAP.

        Raises:
          ValueError: unsupported array.
        """
        luma = LumaPlane.of(np.asarray(image)).luma
        cells = self._estimated_cells(luma)
        return {source: self._quality(cells, luma.shape, source) for source in sources}

    def _estimated_cells(self, luma: np.ndarray) -> jax.Array:
        """(1, rows, columns, 1), not clipped."""
        if self.weights.estimator_config.cells is CellPlacement.PLACED:
            estimated = apply_tiled(
                lambda tiles: np.asarray(self._estimate(tiles)),
                [luma],
                tiling=self._estimating,
                batch_size=self._batch_size,
            )[None, ..., None]
        else:  # the released graph's cells stretch over a whole image
            whole = np.repeat(luma[None, ..., None], self._batch_size, axis=0)
            estimated = self._estimate(whole)[:1]
        return jnp.asarray(estimated)

    def _quality(
        self, cells: jax.Array, size: tuple[int, ...], source: QualitySource
    ) -> np.ndarray:
        """Quality 1–100 by its cells: (), or (H, W) for `QualitySource.MAP`."""
        (height, width), placement = size, self.weights.estimator_config.cells
        if source is QualitySource.MAP:
            quality = quality_map(cells, height=height, width=width, placement=placement)[0, ..., 0]
        else:
            quality = mean_over_area(cells, height, width, placement)[0]
        return np.clip(np.asarray(quality), MIN_QUALITY, MAX_QUALITY)


def _estimate_cells(config: EstimatorConfig, params: Any, luma: jax.Array) -> jax.Array:
    """Quality of every cell, not clipped: (B, H, W, 1) to (B, rows, columns, 1)."""
    return QualityEstimator(config).apply({"params": params}, luma).cells


def _restore_luma(
    config: AGARNetConfig,
    orientation: Orientation,
    params: Any,
    tables: jax.Array | None,
    luma: jax.Array,
    quality: jax.Array,
) -> jax.Array:
    """Restored luma (B, H, W, 1), not clipped."""
    if tables is None and orientation is Orientation.TRANSPOSED:
        by_quality = jpeg_tables.network_tables_by_quality(config.table_scaling)
        block_quality = jnp.round(average_pool(quality, BLOCK))[..., 0].astype(jnp.int32)
        tables = jnp.asarray(by_quality[:, _TRANSPOSED_ENTRIES])[block_quality]
    model = AGARNet(config)
    return model.apply({"params": params}, luma, quality=quality, tables=tables).restored


def _given_quality(quality: float | np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(), or pixel-wise (H, W), float32."""
    values = np.asarray(quality, np.float32)
    if values.shape not in {(), size}:
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
    return values


def _given_table(table: np.ndarray, batch_size: int) -> np.ndarray:
    """(batch_size, 1, 1, 64) in the network's order and scale."""
    table = np.asarray(table)
    if table.shape != (BLOCK, BLOCK) or table.min() < 1:
        raise ValueError(
            f"A quantization table must be (8, 8) with entries of at least 1, got shape "
            f"{table.shape}."
        )
    entries = jpeg_tables.network_table(np.minimum(table, 255))
    return np.broadcast_to(entries, (batch_size, 1, 1, entries.size))
