"""Upsampling of subsampled components as in libjpeg, and its inverse (NumPy only).

For 2:1 subsampling, libjpeg upsamples with a triangle filter ("fancy upsampling", libjpeg-turbo's
jdsample.c): each pixel is 3/4 of the sample it lies in plus 1/4 of the next sample on its side. At
the sides of the image, the missing neighbour is the same sample again. For other factors, samples
are repeated.

The inverse: the mean of each pair of pixels equals the samples filtered by (1, 6, 1) / 8. That
filter has a short inverse, √2 r^|distance| with r = √8 − 3. Along each axis it multiplies the noise
of pixels by 1.03, close to the best linear inverse (least squares: 1.00). All functions work on
parts of a plane, so no caller needs to hold a whole one.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np

_REACH = 6  # taps on each side of the inverse filter; |r|^7 of 255 levels is 0.001
_INVERSE = (2**0.5 * (8**0.5 - 3) ** np.abs(np.arange(-_REACH, _REACH + 1))).astype(np.float32)
_SMOOTH_FACTORS = ((1, 2), (2, 1), (2, 2))  # (vertical, horizontal)

RegionReader = Callable[[slice, slice], np.ndarray]  # reads (rows, columns) inside the image
RowReader = Callable[[int, int], np.ndarray]  # reads rows [first, last): (…, last − first, width)


def read_padded(
    read: RowReader, rows: slice, *, count: int, margin: int, mode: Literal["constant", "edge"]
) -> np.ndarray:
    """Reads rows of a plane with a margin on each side, padded where it exceeds the plane.

    Args:
      read: reads rows of the plane, (…, rows, width).
      rows: rows of the plane.
      count: how many rows the plane has.
      margin: in rows and columns.
      mode: of `np.pad`.
    """
    first, last = max(0, rows.start - margin), min(count, rows.stop + margin)
    missing = first - (rows.start - margin), rows.stop + margin - last
    values = read(first, last)
    return np.pad(values, [(0, 0)] * (values.ndim - 2) + [missing, (margin, margin)], mode=mode)


@dataclasses.dataclass(frozen=True)
class Upsampling:
    """The upsampling of a component to the size of its image.

    size: the image's (height, width).
    factors: (vertical, horizontal) pixels per sample.
    """

    size: tuple[int, int]
    factors: tuple[int, int] = (1, 1)

    @property
    def component_size(self) -> tuple[int, int]:
        """The component's (height, width)."""
        height, width = (-(-side // f) for side, f in zip(self.size, self.factors))
        return height, width

    @property
    def smooth(self) -> bool:
        """Whether libjpeg filters; very narrow components are upsampled by repetition."""
        wide_enough = self.factors[1] == 1 or self.component_size[1] > 2
        return self.factors in _SMOOTH_FACTORS and wide_enough

    def apply(self, component: RowReader, rows: slice) -> np.ndarray:
        """Upsamples a component. Returns rows of the image, (…, rows, width), float.

        Args:
          component: reads the component's rows [first, last), (…, last − first, w).
          rows: rows of the image.
        """
        factor, count = self.factors[0], self.component_size[0]
        margin = 1 if self.smooth and factor > 1 else 0
        first = max(0, rows.start // factor - margin)
        last = min(count, -(-rows.stop // factor) + margin)
        values = component(first, last)
        for axis, positions, origin in (
            (-2, np.arange(rows.start, rows.stop), first),
            (-1, np.arange(self.size[1]), 0),
        ):
            values = self._interpolate(values, axis, positions, origin)
        return values

    def _interpolate(
        self, values: np.ndarray, axis: int, positions: np.ndarray, origin: int
    ) -> np.ndarray:
        """Returns the values at pixel `positions` along an axis whose first sample is `origin`."""
        factor, count = self.factors[axis], self.component_size[axis]
        if factor == 1:
            return values
        nearest = positions // factor
        nearest_values = values.take(nearest - origin, axis)
        if not self.smooth:
            return nearest_values
        next_nearest = np.clip(nearest + np.where(positions % 2, 1, -1), 0, count - 1)
        return 0.75 * nearest_values + 0.25 * values.take(next_nearest - origin, axis)

    def invert(self, read: RegionReader, rows: slice, columns: slice) -> np.ndarray:
        """Recovers samples [rows, columns] of the component from the upsampled image, float.

        Args:
          read: reads pixels of the image.
          rows, columns: samples of the component.
        """
        reach = [_REACH if self.smooth and f > 1 else 0 for f in self.factors]
        wanted = (rows, columns)
        available = [
            slice(max(0, part.start - r), min(count, part.stop + r))
            for part, r, count in zip(wanted, reach, self.component_size)
        ]
        values = read(
            *(
                slice(f * part.start, min(side, f * part.stop))
                for f, part, side in zip(self.factors, available, self.size)
            )
        )
        for axis in (0, 1):
            values = _group_means(values, axis, self.factors[axis], extrapolate=self.smooth)
            if reach[axis]:
                missing = (
                    reach[axis] - (wanted[axis].start - available[axis].start),
                    reach[axis] - (available[axis].stop - wanted[axis].stop),
                )
                values = _inverse_filter(values, axis, missing)
        return values


def block_means(values: np.ndarray, factors: tuple[int, int]) -> np.ndarray:
    """Returns the means of (vertical, horizontal) blocks of (H, W, …).

    Partial blocks at the bottom and right are completed by repeating the last row and column.
    """
    for axis, factor in enumerate(factors):
        values = _group_means(values, axis, factor, extrapolate=False)
    return values


def _group_means(values: np.ndarray, axis: int, factor: int, *, extrapolate: bool) -> np.ndarray:
    """Returns the means of every `factor` values along an axis; an incomplete last group is padded.

    The padding repeats the last value. With `extrapolate`, the padding is the last sample, computed
    from the last two pixels: libjpeg's filter would give the missing pixel that value.
    """
    if factor == 1:
        return values
    values = np.moveaxis(values, axis, 0)
    missing = -len(values) % factor
    if missing:
        last = values[-1:]
        if extrapolate and len(values) > 1:
            last = 1.5 * last - 0.5 * values[-2:-1]
        values = np.concatenate([values, *missing * [last]])
    means = values.reshape(-1, factor, *values.shape[1:]).mean(axis=1)
    return np.moveaxis(means, 0, axis)


def _inverse_filter(means: np.ndarray, axis: int, missing: tuple[int, int]) -> np.ndarray:
    """Returns samples from the means of pixel pairs.

    `missing` means before and after are mirrored, which matches libjpeg's rule at the sides.
    """
    padding = [missing if i == axis else (0, 0) for i in range(means.ndim)]
    padded = np.pad(means, padding, mode="symmetric")
    count = padded.shape[axis] - 2 * _REACH
    terms = (tap * np.take(padded, np.arange(i, i + count), axis) for i, tap in enumerate(_INVERSE))
    return sum(terms, np.zeros(1, means.dtype))
