"""Detail of chroma that subsampling took away, from luma (NumPy).

In small windows colours mix two of them, so chroma is nearly a line in luma. Its slope is found at
chroma's resolution as in the fast guided filter (He and Sun, arXiv:1505.00996, algorithm 2) and
multiplies what luma has beyond that resolution. Ours, not the paper's, which restores luma only.
"""

from collections.abc import Callable

import numpy as np

from agarnet_jax.restoration.upsampling import Upsampling, block_means

_RADIUS = 2  # of the windows, in samples
# Of luma's variance, below which slopes fade: 12 levels, chosen on validation images from 3 to 20,
# with the radius. Less gains more at low quality, and at high quality some images lose.
_REGULARIZATION = (12 / 255) ** 2
REACH = 2 * _RADIUS + 2  # samples up or down that are read at most: two windows, interpolation

Rows = Callable[[int, int], np.ndarray]  # reads rows [first, last): (…, last − first, width)


def detail(chroma: Rows, luma: Rows, upsampling: Upsampling, rows: slice) -> np.ndarray:
    """What to add to upsampled chroma, (planes, rows, image's width), in [-1, 1].

    Args:
      chroma: reads restored components at their own resolution, (planes, …).
      luma: reads the image's restored luma, (rows, width); all in [0, 1].
      upsampling: of chroma.
      rows: which rows of the image.
    """
    count, factor = upsampling.coded_size[0], upsampling.factors[0]

    def coarse_luma(first: int, last: int) -> np.ndarray:
        pixels = luma(factor * first, min(factor * last, upsampling.size[0]))
        return block_means(pixels, upsampling.factors)

    def slopes(first: int, last: int) -> np.ndarray:
        around = 2 * _RADIUS
        start, stop = max(0, first - around), min(count, last + around)
        missing = (around - (first - start), around - (stop - last))

        def padded(values: np.ndarray) -> np.ndarray:
            sides = [(0, 0)] * (values.ndim - 2) + [missing, (around, around)]
            return np.pad(values, sides, mode="edge")

        return _slopes(padded(coarse_luma(start, stop)), padded(chroma(start, stop)))

    fine = luma(rows.start, rows.stop) - upsampling.rows(coarse_luma, rows)
    return upsampling.rows(slopes, rows) * fine


def _slopes(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """Mean slopes of (planes, H, W) over (H, W), without two windows' border."""
    mean = _window_means(luma)
    variance = _window_means(luma**2) - mean**2
    covariance = _window_means(luma * chroma) - mean * _window_means(chroma)
    return _window_means(covariance / (variance + _REGULARIZATION))


def _window_means(values: np.ndarray) -> np.ndarray:
    """Over squares that lie inside, along the last two axes."""
    for axis in (-2, -1):
        windows = np.lib.stride_tricks.sliding_window_view(values, 2 * _RADIUS + 1, axis)
        values = windows.mean(axis=-1)
    return values
