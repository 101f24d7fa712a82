"""Subsampled chroma made sharper and cleaner by luma (NumPy).

In small windows colours mix two of them, so chroma is nearly a line in luma, which is fitted at
chroma's resolution as in the fast guided filter (He and Sun, arXiv:1505.00996, algorithm 2). Its
slope multiplies the detail that luma has beyond that resolution; and where chroma keeps close to
the line, what strays is taken for what compression left (a Wiener filter). Ours, not the paper's,
which restores luma only. Constants, in levels of 255, were chosen on validation images.
"""

import numpy as np

from agarnet_jax.restoration.upsampling import Rows, Upsampling, block_means

_RADIUS = 2  # of the windows, in samples
# Variances of luma below which slopes fade. With less than 12 levels for the detail, some images of
# high quality lose.
_DETAIL_FADES, _LINE_FADES = (12 / 255) ** 2, (1.5 / 255) ** 2
_NOISE = (1.5 / 255) ** 2  # of restored chroma
_AROUND = 2 * _RADIUS  # samples that two windows reach
REACH = _AROUND + 2  # samples up or down that are read at most, by interpolation too


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

    def fitted(first: int, last: int) -> np.ndarray:
        start, stop = max(0, first - _AROUND), min(count, last + _AROUND)
        missing = (_AROUND - (first - start), _AROUND - (stop - last))

        def padded(values: np.ndarray) -> np.ndarray:
            sides = [(0, 0)] * (values.ndim - 2) + [missing, (_AROUND, _AROUND)]
            return np.pad(values, sides, mode="edge")

        return _fitted(padded(coarse_luma(start, stop)), padded(chroma(start, stop)))

    fine = luma(rows.start, rows.stop) - upsampling.rows(coarse_luma, rows)
    slopes, corrections = upsampling.rows(fitted, rows)
    return corrections + slopes * fine


def _fitted(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """(2, planes, h, w): slopes for the detail, and what brings samples to their line.

    Of (H, W) and (planes, H, W), which are larger by `_AROUND` on each side.
    """
    mean, means = _window_means(luma), _window_means(chroma)
    variance = _window_means(luma**2) - mean**2
    covariance = _window_means(luma * chroma) - mean * means
    slopes = covariance / (variance + _LINE_FADES)
    inside = np.s_[..., _AROUND:-_AROUND, _AROUND:-_AROUND]
    line = _window_means(slopes) * luma[inside] + _window_means(means - slopes * mean)
    strays = _window_means(chroma**2) - means**2 - slopes * covariance
    share = _NOISE / (_NOISE + _window_means(np.maximum(strays, 0)))
    detail_slopes = _window_means(covariance / (variance + _DETAIL_FADES))
    return np.stack([detail_slopes, share * (line - chroma[inside])])


def _window_means(values: np.ndarray) -> np.ndarray:
    """Over squares that lie inside, along the last two axes."""
    for axis in (-2, -1):
        windows = np.lib.stride_tricks.sliding_window_view(values, 2 * _RADIUS + 1, axis)
        values = windows.mean(axis=-1)
    return values
