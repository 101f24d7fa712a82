"""One quality for an image that more than one encoder degraded.

The **effective quality** is the IJG quality whose single JPEG of the same clean image has the same
squared error. It puts recompression, rescaling and video on the one scale that a single JPEG
defines. `docs/data.md` has the measurement that it was chosen by.
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
    """Returns the effective quality, 1 to `at_most`, of `degraded` beside `clean`.

    Both are uint8 of one shape.
    `at_most` is the lowest quality among the encodings: more of them do not make an image better.
    For RGB images it is that of their luma, which networks see.
    """
    clean, degraded = (as_luma(image, LumaRange.FULL) for image in (clean, degraded))
    return _quality_of(_squared_error(clean, degraded), clean, Jpeg(at_most, component=component))


def _quality_of(target: float, clean: np.ndarray, best: Jpeg) -> int:
    """Finds the quality, at most that of `best`, whose IJG encoding has an error nearest `target`.

    The search assumes that errors fall with quality, as they mostly do. Of the qualities it
    meets it takes the nearest; of two alike, that nearer to where it ends.
    """
    errors: dict[int, float] = {}

    def error(quality: int) -> float:
        errors[quality] = _loss(Jpeg(quality, component=best.component), clean)
        return errors[quality]

    high = at_most = best.quality
    if target <= error(at_most) or at_most == MIN_QUALITY:
        return at_most
    # The answer mostly lies just below, so steps start at 1 and double.
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
    """Labels `image`, the result of `encodings` and what lay between, with its effective quality.

    The table is that of the encoding that loses most where it decides the label alone, otherwise
    the IJG table of the label.
    """
    worst = min(encodings, key=lambda jpeg: jpeg.effective_quality)
    limit = Jpeg(worst.effective_quality, component=worst.component)
    shown, seen = (as_luma(picture, LumaRange.FULL) for picture in (clean, image))
    error = _squared_error(shown, seen)
    if worst.family is not TableFamily.IJG:
        # Its quality is that of a model of spectra, which single pictures scatter around. What it
        # loses counts as what that quality loses, or the difference would be blamed on the others.
        error += _loss(limit, shown) - _loss(worst, shown)
    quality = _quality_of(error, shown, limit)
    table = worst.table
    if quality < limit.quality:
        table = encoder_table(TableFamily.IJG, quality, worst.component)
    return Degraded(image=image, clean=clean, **whole_image_label(quality, table))


def _loss(jpeg: Jpeg, clean: np.ndarray) -> float:
    return _squared_error(clean, jpeg.compress(clean))


def _squared_error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.square(a.astype(np.int32) - b).sum())
