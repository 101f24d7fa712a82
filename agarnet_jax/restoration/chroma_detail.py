"""Subsampled chroma made sharper and cleaner by luma (NumPy).

In small windows colours mix two of them, so chroma is nearly a line in luma, which is fitted at
chroma's resolution as in the fast guided filter (He and Sun, arXiv:1505.00996, algorithm 2). Its
slope multiplies the detail that luma has beyond that resolution; and where chroma keeps close to
the line, what strays is taken for what compression left (a Wiener filter). Ours, not the paper's,
which restores luma only. Constants, in levels of 255, were chosen on validation images.

Where something else was pasted in after decoding, chroma has its own detail, and luma's would be a
halo. There pixels stray from what upsampling made of the samples (`trust`).
"""

import dataclasses

import numpy as np

from agarnet_jax.restoration.upsampling import Rows, Upsampling, block_means

_RADIUS = 2  # of the windows, in samples
_TINY = 1e-12  # where there is neither noise nor anything that strays
_LINE_FADES = (1.5 / 255) ** 2  # variance of luma below which the slopes of lines fade
_AROUND = 2 * _RADIUS  # samples that two windows reach
REACH = _AROUND + 2  # samples up or down that are read at most, by interpolation too
TRUST_REACH = 2  # pixels around one that strays
_STRAYS = 6 / 255  # of pixels by which half is trusted; roundings to RGB make 2 levels of it


@dataclasses.dataclass(frozen=True)
class Detail:
    """How much of it to add.

    share: 0–1, of all. quality: 1–100, the JPEG quality that chroma had: the better it is, the
    less of it is noise, and the more there is to lose by a slope that fits badly.
    """

    share: float
    quality: float

    @property
    def noise(self) -> float:
        """Variance of restored chroma."""
        return (1.5 / 255 * min(1.0, (100 - self.quality) / 15)) ** 2

    @property
    def fades(self) -> float:
        """Variance of luma below which the slopes of the detail fade."""
        return ((12 + 28 * max(0.0, (self.quality - 80) / 20)) / 255) ** 2


def detail(
    chroma: Rows, luma: Rows, upsampling: Upsampling, rows: slice, *, wanted: Detail
) -> np.ndarray:
    """What to add to upsampled chroma, (planes, rows, image's width), in [-1, 1].

    Args:
      chroma: reads restored components at their own resolution, (planes, …).
      luma: reads the image's restored luma, (rows, width); all in [0, 1].
      upsampling: of chroma.
      rows: which rows of the image.
      wanted: how much.
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

        return _fitted(padded(coarse_luma(start, stop)), padded(chroma(start, stop)), wanted)

    fine = luma(rows.start, rows.stop) - upsampling.rows(coarse_luma, rows)
    slopes, corrections = upsampling.rows(fitted, rows)
    return wanted.share * (corrections + slopes * fine)


def trust(strays: np.ndarray) -> np.ndarray:
    """The share of the detail that fits chroma, (rows, width) in [0, 1].

    Args:
      strays: by how much pixels differ from upsampled samples, in [0, 1]; larger by `TRUST_REACH`
        on each side.
    """
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(strays, 2 * TRUST_REACH + 1, axis)
        strays = windows.max(axis=-1)
    return 1 / (1 + (strays / _STRAYS) ** 4)


def _fitted(luma: np.ndarray, chroma: np.ndarray, wanted: Detail) -> np.ndarray:
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
    share = wanted.noise / (wanted.noise + _window_means(np.maximum(strays, 0)) + _TINY)
    detail_slopes = _window_means(covariance / (variance + wanted.fades))
    return np.stack([detail_slopes, share * (line - chroma[inside])])


def _window_means(values: np.ndarray) -> np.ndarray:
    """Over squares that lie inside, along the last two axes."""
    for axis in (-2, -1):
        windows = np.lib.stride_tricks.sliding_window_view(values, 2 * _RADIUS + 1, axis)
        values = windows.mean(axis=-1)
    return values
