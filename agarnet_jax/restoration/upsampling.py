"""How libjpeg brings subsampled components to the image's size, and the way back (NumPy only).

Twofold subsampling is undone by a triangle filter ("fancy upsampling", libjpeg-turbo's jdsample.c):
each pixel takes 3/4 of the sample it lies in and 1/4 of the next one on its side, at the sides of
the image the same sample again. Other factors repeat samples.

The way back: the mean of each pair of pixels is the samples filtered by (1, 6, 1) / 8, which has a
short inverse, √2 r^|distance| with r = √8 − 3. Noise in the pixels comes out as in the best of
linear inverses, by a factor of 1.03 (least squares: 1.00). Functions work on pieces of planes, so
that nobody needs to hold a whole one.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

_REACH = 6  # |r|^7 of 255 levels is 0.001
_INVERSE = (2**0.5 * (8**0.5 - 3) ** np.abs(np.arange(-_REACH, _REACH + 1))).astype(np.float32)
_SMOOTH_FACTORS = ((1, 2), (2, 1), (2, 2))  # (vertical, horizontal)

Reader = Callable[[slice, slice], np.ndarray]  # of rows and columns, inside the image
Rows = Callable[[int, int], np.ndarray]  # reads rows [first, last): (…, last − first, width)


@dataclasses.dataclass(frozen=True)
class Upsampling:
    """The way from a component to an image.

    size: the image's (height, width).
    factors: (vertical, horizontal), pixels to a sample.
    """

    size: tuple[int, int]
    factors: tuple[int, int] = (1, 1)

    @property
    def coded_size(self) -> tuple[int, int]:
        """Height and width of the component."""
        height, width = (-(-side // f) for side, f in zip(self.size, self.factors))
        return height, width

    @property
    def smooth(self) -> bool:
        """Whether libjpeg filters; very narrow components it repeats."""
        enough = self.factors[1] == 1 or self.coded_size[1] > 2
        return self.factors in _SMOOTH_FACTORS and enough

    def rows(self, coded: Rows, rows: slice) -> np.ndarray:
        """Rows of the image, (…, rows, width), float.

        Args:
          coded: reads samples [first, last) of the component's rows, (…, last − first, w).
          rows: which rows of the image.
        """
        factor, count = self.factors[0], self.coded_size[0]
        around = 1 if self.smooth and factor > 1 else 0
        first = max(0, rows.start // factor - around)
        last = min(count, -(-rows.stop // factor) + around)
        values = coded(first, last)
        for axis, places, origin in (
            (-2, np.arange(rows.start, rows.stop), first),
            (-1, np.arange(self.size[1]), 0),
        ):
            values = self._interpolated(values, axis, places, origin)
        return values

    def _interpolated(
        self, values: np.ndarray, axis: int, places: np.ndarray, origin: int
    ) -> np.ndarray:
        """Values at pixels `places` of an axis; the first of the samples has number `origin`."""
        factor, count = self.factors[axis], self.coded_size[axis]
        if factor == 1:
            return values
        near = places // factor
        nearest = values.take(near - origin, axis)
        if not self.smooth:
            return nearest
        next_one = np.clip(near + np.where(places % 2, 1, -1), 0, count - 1)
        return 0.75 * nearest + 0.25 * values.take(next_one - origin, axis)

    def coded(self, read: Reader, rows: slice, columns: slice) -> np.ndarray:
        """Samples [rows, columns] of the component that an image came from, float.

        Args:
          read: gives pixels of the image.
          rows, columns: which samples.
        """
        reach = [_REACH if self.smooth and f > 1 else 0 for f in self.factors]
        wanted = (rows, columns)
        inside = [
            slice(max(0, part.start - r), min(count, part.stop + r))
            for part, r, count in zip(wanted, reach, self.coded_size)
        ]
        values = read(
            *(
                slice(f * part.start, min(side, f * part.stop))
                for f, part, side in zip(self.factors, inside, self.size)
            )
        )
        for axis in (0, 1):
            values = _means(values, axis, self.factors[axis], extrapolate=self.smooth)
            if reach[axis]:
                missing = [
                    reach[axis] - (wanted[axis].start - inside[axis].start),
                    reach[axis] - (inside[axis].stop - wanted[axis].stop),
                ]
                values = _unfiltered(values, axis, missing)
        return values


def block_means(values: np.ndarray, factors: tuple[int, int]) -> np.ndarray:
    """Means over (vertical, horizontal) blocks of (H, W); those the sides cut are continued."""
    for axis, factor in enumerate(factors):
        values = _means(values, axis, factor, extrapolate=False)
    return values


def _means(values: np.ndarray, axis: int, factor: int, *, extrapolate: bool) -> np.ndarray:
    """Means of every `factor` values along an axis; what the last lacks is continued.

    Of an odd side the last pixel's partner would be the last sample itself, which is extrapolated
    from the two last pixels.
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


def _unfiltered(means: np.ndarray, axis: int, missing: list[int]) -> np.ndarray:
    """Samples from means of pairs; the plane is mirrored at its sides, which libjpeg's rule is."""
    padding = [missing if i == axis else (0, 0) for i in range(means.ndim)]
    padded = np.pad(means, padding, mode="symmetric")
    count = padded.shape[axis] - 2 * _REACH
    pieces = (
        tap * np.take(padded, np.arange(i, i + count), axis) for i, tap in enumerate(_INVERSE)
    )
    return sum(pieces, np.zeros(1, means.dtype))
