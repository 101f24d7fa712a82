"""Effective quality: one quality label for an image that several encoders degraded.

The **effective quality** is the IJG quality at which a single JPEG of the same clean image has the
same squared error. It puts recompression, rescaling and video on the scale of single JPEGs.
`docs/data.md` has the measurement behind this choice.
"""

from collections.abc import Iterable

import numpy as np

from agarnet_jax.color import LumaRange
from agarnet_jax.jpeg_tables import MAX_QUALITY, MIN_QUALITY
from data_pipelines.decoding import as_luma
from data_pipelines.degradations.degraded import Degraded, whole_image_label
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.tables import Component, TableFamily, encoder_table


def effective_quality_of(
    clean: np.ndarray,
    degraded: np.ndarray,
    *,
    at_most: int = MAX_QUALITY,
    component: Component = Component.LUMA,
) -> int:
    """Returns the effective quality, 1 to `at_most`, of `degraded` relative to `clean`.

    Both are uint8 of one shape. For RGB images, the result is the effective quality of their luma,
    which the networks see. `at_most` is the lowest quality among the encodings, since further
    encodings do not improve an image.
    """
    clean, degraded = (as_luma(image, LumaRange.FULL) for image in (clean, degraded))
    return _find_quality(_squared_error(clean, degraded), clean, Jpeg(at_most, component=component))


def _find_quality(target: float, clean: np.ndarray, best: Jpeg) -> int:
    """Finds the IJG quality, at most that of `best`, whose encoding error is closest to `target`.

    The search assumes that errors decrease with quality, as they mostly do. It returns the closest
    of the qualities that it evaluates; on a tie, the one closer to where the search ends.
    """
    errors: dict[int, float] = {}

    def error(quality: int) -> float:
        errors[quality] = _encoding_error(Jpeg(quality, component=best.component), clean)
        return errors[quality]

    high = at_most = best.quality
    if target <= error(at_most) or at_most == MIN_QUALITY:
        return at_most
    # The answer is usually just below, so steps start at 1 and double.
    step, low = 1, at_most - 1
    while error(low) < target and low > MIN_QUALITY:
        high, step = low, 2 * step
        low = max(MIN_QUALITY, low - step)
    while high - low > 1:
        middle = (low + high) // 2
        if error(middle) < target:
            high = middle
        else:
            low = middle
    return min(errors, key=lambda quality: (abs(errors[quality] - target), abs(quality - low)))


def labelled(image: np.ndarray, clean: np.ndarray, encodings: Iterable[Jpeg]) -> Degraded:
    """Labels `image`, made from `clean` by `encodings` and other steps, with its effective quality.

    The table is that of the encoding with the lowest quality if this encoding alone determines the
    label, otherwise the IJG table of the label.
    """
    worst = min(encodings, key=lambda jpeg: jpeg.effective_quality)
    limit = Jpeg(worst.effective_quality, component=worst.component)
    clean_luma, degraded_luma = (as_luma(plane, LumaRange.FULL) for plane in (clean, image))
    error = _squared_error(clean_luma, degraded_luma)
    if worst.family is not TableFamily.IJG:
        # The quality of a non-IJG table comes from a model of spectra, from which individual images
        # deviate. Replace the loss of this encoding by that of its IJG equivalent; otherwise the
        # deviation would be attributed to the other encodings.
        error += _encoding_error(limit, clean_luma) - _encoding_error(worst, clean_luma)
    quality = _find_quality(error, clean_luma, limit)
    table = worst.table
    if quality < limit.quality:
        table = encoder_table(TableFamily.IJG, quality, worst.component)
    return Degraded(image=image, clean=clean, **whole_image_label(quality, table))


def _encoding_error(jpeg: Jpeg, clean: np.ndarray) -> float:
    return _squared_error(clean, jpeg.compress(clean))


def _squared_error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.square(a.astype(np.int32) - b).sum())
