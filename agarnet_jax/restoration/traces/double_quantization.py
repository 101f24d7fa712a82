"""Detects aligned double JPEG compression from doubly quantized DCT coefficients.

Quantization steps t₁ > t₂ leave in use only those multiples of t₂ that are nearest to a multiple of
t₁, so a frequency's coefficient histogram has periodic gaps or peaks (Lukáš & Fridrich, DFRWS 2003;
Popescu & Farid, IH 2004). The likelihoods of single and double quantization of the same (Laplacian)
density are compared. An equal or finer earlier step leaves hardly a trace and does hardly any harm.
"""

import functools
from collections.abc import Iterator, Sequence

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, MAX_QUALITY, MIN_QUALITY
from agarnet_jax.restoration.pixels import PlaneReader
from agarnet_jax.restoration.traces.block_sample import (
    LOW_FREQUENCIES,
    sample_low_frequencies,
    steps_by_quality,
)

_LEVELS = 24  # multiples of the step that the models distinguish; larger ones are rare
_MIN_COEFFICIENTS = 10
_MIN_EVIDENCE = 0.012  # photographs compressed once reach 0.006
_PENALTY = 4.0  # on the log-likelihood of each frequency, for choosing t₁ freely
_ROUNDING = 0.45  # levels, standard deviation: rounding of RGB pixels between the compressions
_TOLERANCE = 1.5  # levels from a multiple of the last step; others were not quantized by it
_OUTLIERS = 0.03  # fraction of coefficients that follow neither model
_MAX_STEP_RATIO, _MAX_STEP = 5, 120  # of t₁ chosen freely
_ITERATIONS = 50
_SCALES = np.geomspace(1, 200, 16)  # of the Laplacian density, levels
# Log-likelihood gain, per coefficient and in total, required to accept an IJG table. Of 550
# photographs without an earlier compression, or with one as fine, none reaches 0.004.
_MIN_GAIN, _MIN_TOTAL_GAIN = 0.01, 20.0
# Required fraction of the gain of freely chosen steps. Recompressed photographs reach 0.7 and more;
# those compressed once, by a coarse flat table that the assumed last steps happen to divide, mostly
# 0.1. Most images composed of halves of different qualities stay below it, too.
_MIN_FRACTION_OF_FREE_GAIN = 0.65


def evidence(plane: PlaneReader, *, table: np.ndarray) -> float:
    """Returns the mean log-likelihood ratio of double over single quantization.

    The mean is over nonzero low-frequency coefficients. It is 0 or slightly above for single
    compression and for images with too few such coefficients. Earlier steps may have any value.

    Args:
      plane: luma (H, W), uint8 or in [0, 1]; the grid begins at its top left corner.
      table: quantization table (8, 8) of the last compression, in raster order.
    """
    gain, count = 0.0, 0
    for step, histogram, _ in _histograms(plane, table):
        gain += _free_gain(step, histogram)
        count += histogram.sum()
    return gain / count if count else 0.0


def is_detected(plane: PlaneReader, *, table: np.ndarray) -> bool:
    """Whether the `evidence`, whose arguments these are, suffices."""
    return evidence(plane, table=table) > _MIN_EVIDENCE


def detect_earlier_quality(plane: PlaneReader, *, table: np.ndarray) -> int | None:
    """Returns the IJG quality 1–100 of a coarser compression before the last; None if undetected.

    The arguments are those of `evidence`.
    """
    gains, count = np.zeros(MAX_QUALITY - MIN_QUALITY + 1), 0
    histograms = list(_histograms(plane, table))
    for step, histogram, steps in histograms:
        candidates, candidate_of_quality = np.unique(steps, return_inverse=True)
        coarser = candidates > step
        gain = np.zeros(len(candidates))
        if coarser.any():
            gain[coarser] = _gains(step, candidates[coarser].tolist(), histogram)
        gains += gain[candidate_of_quality]
        count += histogram.sum()
    threshold = max(_MIN_TOTAL_GAIN, _MIN_GAIN * count)
    best = int(gains.argmax())
    if gains[best] < threshold:
        return None
    free_gain = sum(_free_gain(step, histogram) for step, histogram, _ in histograms)
    if gains[best] < _MIN_FRACTION_OF_FREE_GAIN * free_gain:
        return None
    confirmed = sum(
        _mixture_gain(step, int(steps[best]), histogram)
        for step, histogram, steps in histograms
        if steps[best] > step
    )
    return MIN_QUALITY + best if confirmed >= threshold else None


def _free_gain(step: int, histogram: np.ndarray) -> float:
    """Returns the penalized gain of the best earlier step of any value."""
    largest = max(min(_MAX_STEP_RATIO * step + BLOCK, _MAX_STEP), step + 1)
    gains = _gains(step, range(step + 1, largest + 1), histogram)
    return max(float(gains.max()) - _PENALTY, 0.0)


def _mixture_gain(step: int, earlier: int, histogram: np.ndarray) -> float:
    """Returns the gain under a mixture of densities, as images composed of several parts have."""
    count, fitted = histogram.sum(), []
    for model in (_log_probabilities(step, None), _log_probabilities(step, earlier)):
        probabilities = np.exp(model)
        weights = np.full(len(probabilities), 1 / len(probabilities))
        for _ in range(_ITERATIONS):  # expectation-maximization
            ratio = histogram / (weights @ probabilities)
            weights = weights * (probabilities @ ratio) / count
        fitted.append(weights @ probabilities)
    single, double = fitted
    return float(np.log(double / single) @ histogram)


def _histograms(
    plane: PlaneReader, table: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields histograms of the frequencies with enough nonzero coefficients.

    Yields:
      The last step, the counts of |level| = 1, 2, …, and the steps (100,) of IJG's tables.
    """
    sampled, _ = sample_low_frequencies(plane)
    frequencies = zip(sampled, np.ravel(table)[LOW_FREQUENCIES], steps_by_quality().T)
    for coefficients, step, steps in frequencies:
        level = np.abs(np.rint(coefficients / step)).astype(int)
        near = np.abs(np.abs(coefficients) - level * step) <= _TOLERANCE
        level = level[near & (level > 0) & (level <= _LEVELS)]
        if len(level) >= _MIN_COEFFICIENTS:
            yield int(step), np.bincount(level, minlength=_LEVELS + 1)[1:], steps


def _gains(step: int, earlier: Sequence[int], histogram: np.ndarray) -> np.ndarray:
    """Returns the log-likelihood ratio of each earlier step over single quantization."""
    models = [_log_probabilities(step, None), *(_log_probabilities(step, t) for t in earlier)]
    likelihoods = (np.stack(models) @ histogram).max(axis=1)
    return likelihoods[1:] - likelihoods[0]


@functools.lru_cache(maxsize=2**13)
def _log_probabilities(step: int, earlier: int | None) -> np.ndarray:
    """Returns (scales, levels): log-probabilities of |level| = 1, 2, …, given that it is not 0.

    The coefficient was quantized by `step` alone (`earlier` is None), or by `earlier` and then
    `step`.
    """
    level = np.arange(1, _LEVELS + 1)
    lower, upper = (level - 0.5) * step, (level + 0.5) * step
    scale = _SCALES[:, None]
    if earlier is None:
        probabilities = np.exp(-lower / scale) - np.exp(-upper / scale)
    else:
        multiple = np.arange(int(upper[-1] / earlier) + 2)
        below, beyond = ((multiple + end) * earlier / scale for end in (-0.5, 0.5))
        first = np.where(multiple == 0, 1 - np.exp(-beyond), (np.exp(-below) - np.exp(-beyond)) / 2)
        centre = multiple[:, None] * earlier
        second = _cdf((upper - centre) / _ROUNDING) - _cdf((lower - centre) / _ROUNDING)
        probabilities = first @ second
    probabilities += 1e-12
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return np.log((1 - _OUTLIERS) * probabilities + _OUTLIERS / _LEVELS)


def _cdf(x: np.ndarray) -> np.ndarray:
    """The standard normal CDF to within 3·10⁻⁴ (Page, Applied Statistics 1977)."""
    return (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2
