"""Detects the chroma subsampling of a JPEG from its decoded pixels (NumPy only).

Chroma that libjpeg has upsampled survives inverting the upsampling and applying it again; chroma
stored at full resolution does not. The difference is most informative where chroma varies most, so
it is measured only there.
"""

import enum
from collections.abc import Iterator

import numpy as np

from agarnet_jax.restoration.pixels import INTEGER_PEAKS
from agarnet_jax.restoration.upsampling import RegionReader, Upsampling

# Root mean square error in levels below which chroma counts as subsampled. Rounding alone leaves
# 0.20–0.40, full resolution 0.45–4 (25 training photographs at qualities 5–95; those in between
# have next to no colour, so that a wrong decision loses nothing).
_MAX_ERROR = 0.42
_ACTIVE_FRACTION = 0.05  # the most active samples, where the error is measured
_PATCH, _PATCHES_PER_SIDE = 256, 4
_BORDER = 8  # pixels ignored at the sides of a patch, beyond which the image may continue


class Subsampling(enum.Enum):
    """The resolution of chroma relative to luma: (vertical, horizontal) pixels per sample."""

    S444 = 1, 1
    S422 = 1, 2
    S440 = 2, 1
    S420 = 2, 2
    S411 = 1, 4

    def __str__(self) -> str:
        return ":".join(self.name[1:])


def find_subsampling(
    chroma: list[RegionReader], saturated: RegionReader, *, size: tuple[int, int]
) -> Subsampling:
    """Detects 4:4:4, 4:2:2, 4:4:0 or 4:2:0, upsampled by libjpeg from the top left corner.

    Without evidence to the contrary, as in small or colourless images, chroma counts as subsampled.
    The exception is an image whose colour changes are all clipped, such as pure red on white, which
    subsampling would blur.

    Args:
      chroma: readers of the image's Cb and Cr, in levels.
      saturated: reads a boolean mask of pixels that the decoder may have clipped, which alters
        chroma.
      size: the image's (height, width).
    """
    errors: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])  # vertical, horizontal
    for rows, columns in _patches(size):
        clipped = saturated(rows, columns)
        for read in chroma:
            values = np.rint(read(rows, columns))
            errors[0].append(_round_trip_errors(values, clipped))
            errors[1].append(_round_trip_errors(values.T, clipped.T))
    return Subsampling(
        tuple(2 if _rms_where_active(of_axis) < _MAX_ERROR else 1 for of_axis in errors)
    )


def saturated(pixels: np.ndarray) -> np.ndarray:
    """Returns a mask of the pixels (H, W, C) with a channel at either end of its range."""
    peak = INTEGER_PEAKS.get(pixels.dtype, 1)
    return np.any((pixels <= 0) | (pixels >= peak), axis=2)


def _patches(size: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Yields squares spread over an image, beginning at even rows and columns."""

    def spans(side: int) -> list[slice]:
        last = max(0, side - _PATCH)
        count = min(_PATCHES_PER_SIDE, -(-side // _PATCH))
        starts = {2 * round(last * i / max(1, count - 1) / 2) for i in range(count)}
        return [slice(start, min(side, start + _PATCH)) for start in sorted(starts)]

    return ((rows, columns) for rows in spans(size[0]) for columns in spans(size[1]))


def _round_trip_errors(values: np.ndarray, clipped: np.ndarray) -> np.ndarray:
    """Inverts and reapplies a vertical upsampling.

    Returns:
      (2, …): the activity of vertical pixel pairs, and their mean squared error after the round
      trip; active pairs only. The error is NaN where the decoder may have clipped.
    """
    height, width = values.shape
    height -= height % 2
    values, clipped = values[:height], clipped[:height]
    if height <= 2 * _BORDER:
        return np.zeros((2, 0))
    upsampling = Upsampling((height, width), (2, 1))
    whole = slice(0, height // 2)
    samples = upsampling.invert(lambda rows, columns: values[rows, columns], whole, slice(0, width))
    again = upsampling.apply(lambda first, last: samples[first:last], slice(0, height))
    squares = ((values - again) ** 2).reshape(-1, 2, width).mean(axis=1)
    differences = np.abs(values[2::2] - values[1:-1:2])
    activity = np.pad(differences, ((0, 1), (0, 0))) + np.pad(differences, ((1, 0), (0, 0)))
    unclipped = ~np.any(clipped.reshape(-1, 2, width), axis=1)
    unclipped[1:-1] &= unclipped[:-2] & unclipped[2:]
    inside = np.s_[_BORDER // 2 : -_BORDER // 2]
    squares = np.where(unclipped, squares, np.nan)
    active = activity[inside] > 0
    return np.stack([activity[inside][active], squares[inside][active]])


def _rms_where_active(errors: list[np.ndarray]) -> float:
    """Returns the root mean square error of the most active pairs, infinite if all are clipped."""
    pairs = np.concatenate(errors, axis=1)
    if not pairs.size:
        return 0.0
    activity, squares = pairs[:, ~np.isnan(pairs[1])]
    if not activity.size:
        return np.inf
    threshold = np.quantile(activity, 1 - _ACTIVE_FRACTION)
    return float(np.sqrt(squares[activity >= threshold].mean()))
