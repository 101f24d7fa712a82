"""Quality as a number or a map: validation, the effect of strength, maps of subsampled planes."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from agarnet_jax.jpeg_tables import MAX_QUALITY, MIN_QUALITY
from agarnet_jax.models import CELL, CellPlacement
from agarnet_jax.restoration.pixels import strips
from agarnet_jax.restoration.upsampling import block_means

_CELL_NOISE = 5.0  # typical difference between estimates of cells of one quality


def apply_strength(quality: ArrayLike, strength: float) -> np.ndarray:
    """Returns the quality 1–100 whose quantization steps are `strength` times as large, float32.

    In the IJG library, steps are proportional to 200 − 2q from quality 50 on, and to 5000 / q
    below. Strength 0 gives 100, strength 1 the quality itself.
    """
    quality = np.asarray(quality, np.float32)
    if strength == 1:
        return quality
    steps = strength * np.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    result = np.where(steps > 100, 5000 / np.maximum(steps, 1), 100 - steps / 2)
    return np.clip(result, MIN_QUALITY, MAX_QUALITY).astype(np.float32)


def validate_quality(quality: float | np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a user's quality as (), or pixel-wise (H, W), float32.

    Raises:
      ValueError: another shape, or values outside of 1–100.
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


def clip_quality(quality: ArrayLike) -> np.ndarray:
    """Clips estimates to 1–100, float32."""
    return np.clip(np.asarray(quality, np.float32), MIN_QUALITY, MAX_QUALITY)


def shrink_toward(estimate: float, cells: np.ndarray) -> np.ndarray:
    """Shrinks cells of a map (rows, columns) toward the image's estimate where they are near it.

    Estimates of single cells are noisy, which costs an image of one quality more than a map gains.
    Cells of another quality hardly change (the garrote of Breiman, Technometrics 1995).
    """
    deviation = cells - np.float32(estimate)
    ratio = _CELL_NOISE / np.maximum(np.abs(deviation), _CELL_NOISE)
    return estimate + deviation * (1 - ratio**2)


@dataclasses.dataclass(frozen=True, eq=False)
class QualityMap:
    """A pixel-wise quality, computed where it is read: `quality_map[rows, columns]`, float32.

    shape: (H, W).
    read: returns the map at rows and columns, slices with a start and stop inside of it.
    """

    shape: tuple[int, int]
    read: Callable[[slice, slice], np.ndarray]

    def __getitem__(self, index: tuple[slice, slice]) -> np.ndarray:
        rows, columns = (slice(*part.indices(side)[:2]) for part, side in zip(index, self.shape))
        return self.read(rows, columns)

    @classmethod
    def from_cells(
        cls, cells: np.ndarray, *, size: tuple[int, int], placement: CellPlacement
    ) -> "QualityMap":
        """Interpolates the estimator's cells (rows, columns) bilinearly, clipped to 1–100.

        The values equal those of `models.quality_map`, which computes whole maps.
        """

        def read(rows: slice, columns: slice) -> np.ndarray:
            upper, lower, down = _neighbours(rows, size[0], cells.shape[0], placement)
            left, right, across = _neighbours(columns, size[1], cells.shape[1], placement)
            by_column = cells[:, left] * (1 - across) + cells[:, right] * across
            values = by_column[upper] * (1 - down[:, None]) + by_column[lower] * down[:, None]
            return np.clip(values, MIN_QUALITY, MAX_QUALITY)

        return cls(size, read)

    def for_plane(self, factors: tuple[int, int], strength: float) -> "QualityMap":
        """Returns the map for a plane smaller by (vertical, horizontal) factors: means of pixels.

        strength: see `apply_strength`.
        """

        def read(rows: slice, columns: slice) -> np.ndarray:
            pixel_rows, pixel_columns = (
                slice(f * part.start, f * part.stop) for f, part in zip(factors, (rows, columns))
            )
            means = block_means(self[pixel_rows, pixel_columns], factors)
            return apply_strength(means, strength)

        height, width = (-(-side // f) for side, f in zip(self.shape, factors))
        return QualityMap((height, width), read)

    def mean(self) -> float:
        sums = [self[rows, :].sum(dtype=np.float64) for rows in strips(self.shape)]
        return sum(sums) / math.prod(self.shape)

    def to_array(self) -> np.ndarray:
        """Returns the whole map, (H, W) float32."""
        result = np.empty(self.shape, np.float32)
        for rows in strips(self.shape):
            result[rows] = self[rows, :]
        return result


def _neighbours(
    pixels: slice, size: int, cells: int, placement: CellPlacement
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the cells before and after pixels of an axis, and the weight of the latter."""
    pixel = np.arange(pixels.start, pixels.stop, dtype=np.float32)
    if placement is CellPlacement.PLACED:
        position = (pixel + 0.5) / CELL - 0.5
    else:
        position = pixel * np.float32(cells / size)
    position = np.clip(position, 0, cells - 1)
    before = position.astype(np.int64)
    return before, np.minimum(before + 1, cells - 1), position - before
