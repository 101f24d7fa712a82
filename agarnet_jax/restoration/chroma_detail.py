"""Sharpens and denoises subsampled chroma, guided by luma (NumPy).

Within a small window, colours are mostly mixtures of two, so chroma is nearly a linear function of
luma. That line is fitted at chroma's resolution as in the fast guided filter (He and Sun,
arXiv:1505.00996, algorithm 2). Its slope multiplies the detail that luma has beyond chroma's
resolution. Of the windows around a sample, those count most in which the line fits: in others there
is a third colour, such as that of an outline, which would be tinted. Where chroma stays close to
the line, its residual is treated as compression noise and reduced by a Wiener filter. This step is
not part of the paper, which restores luma only. Constants, in levels of 255, were chosen on
validation images.

Where something was pasted into the image after decoding, chroma has full-resolution detail already,
and luma's would leave a halo. There, pixels deviate from the upsampled samples (`trust`).
"""

import dataclasses

import numpy as np

from agarnet_jax.restoration.upsampling import RowReader, Upsampling, block_means, read_padded

_RADIUS = 2  # of the windows, in samples
_EPSILON = 1e-12  # avoids 0 / 0 where both noise and residual are zero
_LINE_REGULARIZER = (1.5 / 255) ** 2  # added to luma's variance in the slopes of the fitted lines
_FIT_ERROR = (4 / 255) ** 2  # residual variance below which windows count alike
_MARGIN = 2 * _RADIUS  # samples, the reach of two consecutive window means
REACH = _MARGIN + 2  # samples read above and below, including those for the interpolation
TRUST_REACH = 2  # pixels, the reach of a large upsampling residual
_HALF_TRUST = 6 / 255  # residual at which trust is 1/2; rounding to RGB alone makes 2 levels


@dataclasses.dataclass(frozen=True)
class Detail:
    """How much detail to add.

    fraction: 0–1, of the full detail.
    quality: 1–100, the JPEG quality of chroma. The higher it is, the less of chroma is noise, and
      the more a badly fitting slope would spoil.
    """

    fraction: float
    quality: float

    @property
    def noise(self) -> float:
        """The noise variance of restored chroma."""
        return (1.5 / 255 * min(1.0, (100 - self.quality) / 15)) ** 2

    @property
    def regularizer(self) -> float:
        """Added to luma's variance in the slopes of the detail, which fade where luma is flat."""
        return ((12 + 28 * max(0.0, (self.quality - 80) / 20)) / 255) ** 2


def detail_from_luma(
    chroma: RowReader, luma: RowReader, upsampling: Upsampling, rows: slice, *, settings: Detail
) -> np.ndarray:
    """Returns what to add to upsampled chroma, (planes, rows, image width), in [-1, 1].

    Args:
      chroma: reads restored components at their own resolution, (planes, …), in [0, 1].
      luma: reads the image's restored luma, (rows, width), in [0, 1].
      upsampling: that of chroma.
      rows: rows of the image.
      settings: how much detail to add.
    """
    count, factor = upsampling.component_size[0], upsampling.factors[0]

    def coarse_luma(first: int, last: int) -> np.ndarray:
        pixels = luma(factor * first, min(factor * last, upsampling.size[0]))
        return block_means(pixels, upsampling.factors)

    def fitted(first: int, last: int) -> np.ndarray:
        padded_luma, padded_chroma = (
            read_padded(read, slice(first, last), count=count, margin=_MARGIN, mode="edge")
            for read in (coarse_luma, chroma)
        )
        return _fit_lines(padded_luma, padded_chroma, settings)

    fine = luma(rows.start, rows.stop) - upsampling.apply(coarse_luma, rows)
    slopes, corrections = upsampling.apply(fitted, rows)
    return settings.fraction * (corrections + slopes * fine)


def trust(residual: np.ndarray) -> np.ndarray:
    """Returns the weight that the detail deserves at each pixel, (rows, width) in [0, 1].

    Args:
      residual: in [0, 1], the absolute difference between pixels and upsampled samples; larger by
        `TRUST_REACH` pixels on each side.
    """
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(residual, 2 * TRUST_REACH + 1, axis)
        residual = windows.max(axis=-1)
    return 1 / (1 + (residual / _HALF_TRUST) ** 4)


def _fit_lines(luma: np.ndarray, chroma: np.ndarray, settings: Detail) -> np.ndarray:
    """Fits chroma as a linear function of luma in each window.

    Args:
      luma: (H, W), larger by `_MARGIN` on each side.
      chroma: (planes, H, W), likewise.

    Returns:
      (2, planes, h, w): the slopes for the detail, and the corrections that move samples towards
      their line.
    """
    mean, means = _window_means(luma), _window_means(chroma)
    variance = _window_means(luma**2) - mean**2
    covariance = _window_means(luma * chroma) - mean * means
    slopes = covariance / (variance + _LINE_REGULARIZER)
    inside = np.s_[..., _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    line = _window_means(slopes) * luma[inside] + _window_means(means - slopes * mean)
    residual = np.maximum(_window_means(chroma**2) - means**2 - slopes * covariance, 0)
    wiener = settings.noise / (settings.noise + _window_means(residual) + _EPSILON)
    weights = (residual + _FIT_ERROR) ** -2
    detail_slopes = covariance / (variance + settings.regularizer)
    detail_slopes = _window_means(weights * detail_slopes) / _window_means(weights)
    return np.stack([detail_slopes, wiener * (line - chroma[inside])])


def _window_means(values: np.ndarray) -> np.ndarray:
    """Returns the means over all complete square windows along the last two axes."""
    for axis in (-2, -1):
        windows = np.lib.stride_tricks.sliding_window_view(values, 2 * _RADIUS + 1, axis)
        values = windows.mean(axis=-1)
    return values
