"""Quality in numbers and maps: how strength moves it, how planes read it."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from agarnet_jax.jpeg_tables import MAX_QUALITY, MIN_QUALITY
from agarnet_jax.models import CELL, CellPlacement
from agarnet_jax.restoration.pixels import strips
from agarnet_jax.restoration.upsampling import block_means

_WAVERING = 5.0  # of quality: by how much cells of one compression differ, mostly


def strengthened(quality: ArrayLike, strength: float) -> np.ndarray:
    """The quality 1–100 whose quantization steps are `strength` times as large, float32.

    By the scaling of the IJG library: steps go with 200 − 2 q from quality 50 on, with 5000 / q
    below. At strength 0 it is 100, at 1 the quality itself.
    """
    quality = np.asarray(quality, np.float32)
    if strength == 1:
        return quality
    steps = strength * np.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    moved = np.where(steps > 100, 5000 / np.maximum(steps, 1), 100 - steps / 2)
    return np.clip(moved, MIN_QUALITY, MAX_QUALITY).astype(np.float32)


def checked(quality: float | np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A given quality as (), or pixel-wise (H, W), float32.

    Raises:
      ValueError: another shape, or values out of 1–100.
    """
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


def in_range(quality: ArrayLike) -> np.ndarray:
    """Clips an estimate, which may leave 1–100."""
    return np.clip(np.asarray(quality, np.float32), MIN_QUALITY, MAX_QUALITY)


def steadied(cells: np.ndarray, estimate: float) -> np.ndarray:
    """Pulls cells of a map (rows, columns) that are near the image's estimate towards it.

    Estimates of cells waver, which costs an image of one quality more than it brings. Cells of
    another quality stay nearly as they are (the garrote of Breiman, Technometrics 1995).
    """
    away = cells - np.float32(estimate)
    return estimate + away * (1 - (_WAVERING / np.maximum(np.abs(away), _WAVERING)) ** 2)


@dataclasses.dataclass(frozen=True, eq=False)
class QualityMap:
    """A pixel-wise quality that is read by pieces: `quality_map[rows, columns]`, float32.

    shape: (H, W). read: gives rows and columns of the map.
    """

    shape: tuple[int, int]
    read: Callable[[slice, slice], np.ndarray]

    def __getitem__(self, place: tuple[slice, slice]) -> np.ndarray:
        rows, columns = (slice(*part.indices(side)[:2]) for part, side in zip(place, self.shape))
        return self.read(rows, columns)

    @classmethod
    def of_cells(
        cls, cells: np.ndarray, *, size: tuple[int, int], placement: CellPlacement
    ) -> "QualityMap":
        """Spreads the estimator's cells (rows, columns) bilinearly, clipped to 1–100.

        The values are those of `models.quality_map`, which holds whole maps.
        """

        def read(rows: slice, columns: slice) -> np.ndarray:
            upper, lower, down = _neighbours(rows, size[0], cells.shape[0], placement)
            left, right, across = _neighbours(columns, size[1], cells.shape[1], placement)
            spread = cells[:, left] * (1 - across) + cells[:, right] * across
            values = spread[upper] * (1 - down[:, None]) + spread[lower] * down[:, None]
            return np.clip(values, MIN_QUALITY, MAX_QUALITY)

        return cls(size, read)

    def for_plane(self, factors: tuple[int, int], strength: float) -> "QualityMap":
        """Returns the map of a plane smaller by (vertical, horizontal) factors: means of pixels."""

        def read(rows: slice, columns: slice) -> np.ndarray:
            places = [slice(f * p.start, f * p.stop) for f, p in zip(factors, (rows, columns))]
            return strengthened(block_means(self[places[0], places[1]], factors), strength)

        height, width = (-(-side // f) for side, f in zip(self.shape, factors))
        return QualityMap((height, width), read)

    def mean(self) -> float:
        sums = [self[rows, :].sum(dtype=np.float64) for rows in strips(self.shape)]
        return sum(sums) / math.prod(self.shape)

    def whole(self) -> np.ndarray:
        """Returns the map as an array (H, W) float32."""
        result = np.empty(self.shape, np.float32)
        for rows in strips(self.shape):
            result[rows] = self[rows, :]
        return result


def _neighbours(
    pixels: slice, size: int, cells: int, placement: CellPlacement
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the cells before and behind pixels of an axis, and the weight of the latter."""
    pixel = np.arange(pixels.start, pixels.stop, dtype=np.float32)
    if placement is CellPlacement.PLACED:
        position = (pixel + 0.5) / CELL - 0.5
    else:
        position = pixel * np.float32(cells / size)
    position = np.clip(position, 0, cells - 1)
    before = position.astype(np.int64)
    return before, np.minimum(before + 1, cells - 1), position - before
