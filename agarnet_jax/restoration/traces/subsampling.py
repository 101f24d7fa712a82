"""At which resolution a JPEG stored its chroma, found from decoded pixels (NumPy only).

Chroma that libjpeg brought to the image's size comes back when it is reduced and enlarged again;
chroma stored at full resolution does not. It tells most where chroma changes most, so only there
is the difference looked at.
"""

import enum
from collections.abc import Iterator

import numpy as np

from agarnet_jax.restoration.pixels import INTEGER_PEAKS
from agarnet_jax.restoration.upsampling import Reader, Upsampling

# Root mean square, in levels. Roundings alone leave 0.20–0.40, full resolution 0.45–4 (25 training
# photographs at qualities 5–95; between are those with next to no colour, where nothing is lost).
_MOST_DIFFERENCE = 0.42
_ACTIVE_SHARE = 0.05
_PATCH, _PATCHES_A_SIDE = 256, 4
_BORDER = 8  # pixels, where a patch ends and the image may not


class Subsampling(enum.Enum):
    """The resolution of chroma against luma.

    factors: pixels a sample, (vertical, horizontal).
    """

    S444 = "4:4:4"
    S422 = "4:2:2"
    S440 = "4:4:0"
    S420 = "4:2:0"
    S411 = "4:1:1"

    @property
    def factors(self) -> tuple[int, int]:
        return _FACTORS[self]


_FACTORS = {
    Subsampling.S444: (1, 1),
    Subsampling.S422: (1, 2),
    Subsampling.S440: (2, 1),
    Subsampling.S420: (2, 2),
    Subsampling.S411: (1, 4),
}
_BY_FACTORS = {factors: subsampling for subsampling, factors in _FACTORS.items()}


def find_subsampling(
    chroma: list[Reader], saturated: Reader, *, size: tuple[int, int]
) -> Subsampling:
    """4:4:4, 4:2:2, 4:4:0 or 4:2:0, for libjpeg's upsampling from the upper left corner.

    Where nothing speaks against it, chroma counts as subsampled: in small or colourless images. Not
    where all colours that change are clipped, as in pure red on white: subsampling would blur them.

    Args:
      chroma: read Cb and Cr of the image, in levels.
      saturated: reads where the decoder may have clipped, which changes chroma; boolean.
      size: the image's (height, width).
    """
    different: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for rows, columns in _patches(size):
        clipped = saturated(rows, columns)
        for read in chroma:
            values = np.rint(read(rows, columns))
            different[0].append(_differences(values, clipped))
            different[1].append(_differences(values.T, clipped.T))
    factors = [2 if _rms_where_active(found) < _MOST_DIFFERENCE else 1 for found in different]
    return _BY_FACTORS[factors[0], factors[1]]


def saturated(pixels: np.ndarray) -> np.ndarray:
    """Where any channel of (H, W, C) is at an end of its range."""
    peak = INTEGER_PEAKS.get(pixels.dtype, 1)
    return np.any((pixels <= 0) | (pixels >= peak), axis=2)


def _patches(size: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Squares spread over an image, at even places."""

    def spans(side: int) -> list[slice]:
        last = max(0, side - _PATCH)
        count = min(_PATCHES_A_SIDE, -(-side // _PATCH))
        starts = {2 * round(last * i / max(1, count - 1) / 2) for i in range(count)}
        return [slice(start, min(side, start + _PATCH)) for start in sorted(starts)]

    return ((rows, columns) for rows in spans(size[0]) for columns in spans(size[1]))


def _differences(values: np.ndarray, clipped: np.ndarray) -> np.ndarray:
    """Returns (2, …): how active pairs of rows are, their squared difference after the way back.

    Only of active ones. The difference is NaN where a decoder may have clipped.
    """
    height, width = values.shape
    height -= height % 2
    values, clipped = values[:height], clipped[:height]
    if height <= 2 * _BORDER:
        return np.zeros((2, 0))
    upsampling = Upsampling((height, width), (2, 1))
    whole = slice(0, height // 2)
    coded = upsampling.coded(lambda rows, columns: values[rows, columns], whole, slice(0, width))
    again = upsampling.rows(lambda first, last: coded[first:last], slice(0, height))
    square = ((values - again) ** 2).reshape(-1, 2, width).mean(axis=1)
    steps = np.abs(values[2::2] - values[1:-1:2])
    active = np.pad(steps, ((0, 1), (0, 0))) + np.pad(steps, ((1, 0), (0, 0)))
    unclipped = ~np.any(clipped.reshape(-1, 2, width), axis=1)
    unclipped[1:-1] &= unclipped[:-2] & unclipped[2:]
    inside = np.s_[_BORDER // 2 : -_BORDER // 2]
    known = np.where(unclipped, square, np.nan)
    chosen = active[inside] > 0
    return np.stack([active[inside][chosen], known[inside][chosen]])


def _rms_where_active(found: list[np.ndarray]) -> float:
    every = np.concatenate(found, axis=1)
    if not every.size:
        return 0.0
    active, square = every[:, ~np.isnan(every[1])]
    if not active.size:
        return np.inf
    least = np.quantile(active, 1 - _ACTIVE_SHARE)
    return float(np.sqrt(square[active >= least].mean()))
