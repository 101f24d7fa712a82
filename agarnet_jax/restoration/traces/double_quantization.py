"""Traces of an earlier JPEG on the same grid: coefficients that were quantized twice.

Steps t₁ > t₂ leave only those multiples of t₂ in use that lie nearest to a multiple of t₁, so the
histogram of a frequency has gaps or peaks at regular places (Lukáš & Fridrich, DFRWS 2003; Popescu
& Farid, IH 2004). The likelihoods of one and of two quantizations of the same (Laplacian) density
are compared. An earlier step that is equal or finer leaves hardly a trace and does hardly any harm.
"""

import functools
from collections.abc import Iterator, Sequence

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, MAX_QUALITY, MIN_QUALITY
from agarnet_jax.restoration.pixels import PlaneReader
from agarnet_jax.restoration.traces.coefficient_sample import (
    LOW_FREQUENCIES,
    low_frequencies,
    steps_by_quality,
)

_LEVELS = 24  # multiples of the step that are told apart; more are rare
_LEAST_COEFFICIENTS = 10
_PENALTY = 4.0  # for the choice of t₁, at each frequency
_ROUNDING = 0.45  # levels; of pixels between the two compressions, in RGB
_NEAR = 1.5  # levels, from a multiple of the last step; other coefficients were not quantized so
_OUTLIERS = 0.03  # share of coefficients from no model
_STEP_RATIO, _STEP_MAX = 5, 120  # of t₁, where it may be any
_ITERATIONS = 50
_SCALES = np.geomspace(1, 200, 16)  # of the Laplacian density, levels
# For one of IJG's tables to be believed: logarithms of likelihood, for each coefficient and in
# all. Of 550 photographs whose earlier compression was none, or as fine, none reaches 0.004.
_LEAST_EVIDENCE, _LEAST_EVIDENCE_IN_ALL = 0.01, 20.0
# Of what steps chosen freely would give: photographs saved twice have 0.7 and more; those saved
# once, by a coarse flat table that the last one's steps happen to divide, 0.1 mostly. Most halves
# of several qualities have less, too.
_LEAST_OF_ANY = 0.65


def evidence(plane: PlaneReader, *, table: np.ndarray) -> float:
    """Logarithm of how much likelier two quantizations are than one, for each coefficient.

    The mean over coefficients of low frequency that are not zero; 0 and little more for single
    compression, and for pictures that have too few to tell. The earlier steps may be any.

    Args:
      plane: luma (H, W), uint8 or in [0, 1]; the grid begins at its corner.
      table: the quantization table (8, 8) of its last compression, in raster order.
    """
    gain, count = 0.0, 0
    for step, histogram, _ in _histograms(plane, table):
        gain += _gain_of_any(step, histogram)
        count += histogram.sum()
    return gain / count if count else 0.0


def earlier_quality(plane: PlaneReader, *, table: np.ndarray) -> int | None:
    """The IJG quality 1–100 of a coarser compression before the last one, where it shows.

    Arguments are those of `evidence`.
    """
    gains, count = np.zeros(MAX_QUALITY - MIN_QUALITY + 1), 0
    histograms = list(_histograms(plane, table))
    for step, histogram, steps in histograms:
        candidates, which = np.unique(steps, return_inverse=True)
        coarser = candidates > step
        gain = np.zeros(len(candidates))
        if coarser.any():
            gain[coarser] = _gains(step, candidates[coarser].tolist(), histogram)
        gains += gain[which]
        count += histogram.sum()
    least = max(_LEAST_EVIDENCE_IN_ALL, _LEAST_EVIDENCE * count)
    best = int(gains.argmax())
    if gains[best] < least:
        return None
    of_any = sum(_gain_of_any(step, histogram) for step, histogram, _ in histograms)
    if gains[best] < _LEAST_OF_ANY * of_any:
        return None
    confirmed = sum(
        _mixture_gain(step, int(steps[best]), histogram)
        for step, histogram, steps in histograms
        if steps[best] > step
    )
    return MIN_QUALITY + best if confirmed >= least else None


def _gain_of_any(step: int, histogram: np.ndarray) -> float:
    """Returns the gain of the best earlier step, whichever it is."""
    largest = max(min(_STEP_RATIO * step + BLOCK, _STEP_MAX), step + 1)
    gains = _gains(step, range(step + 1, largest + 1), histogram)
    return max(float(gains.max()) - _PENALTY, 0.0)


def _mixture_gain(step: int, earlier: int, histogram: np.ndarray) -> float:
    """Returns the gain of a density that is any mixture, as pictures of several parts have."""
    count, fitted = histogram.sum(), []
    for model in (_log_probabilities(step, None), _log_probabilities(step, earlier)):
        probabilities = np.exp(model)
        weights = np.full(len(probabilities), 1 / len(probabilities))
        for _ in range(_ITERATIONS):  # expectation, maximization
            share = histogram / (weights @ probabilities)
            weights = weights * (probabilities @ share) / count
        fitted.append(weights @ probabilities)
    once, twice = fitted
    return float(np.log(twice / once) @ histogram)


def _histograms(
    plane: PlaneReader, table: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields, of frequencies with enough coefficients that are not zero, the last step, how often
    |level| is 1, 2, …, and the steps (100,) of IJG's tables."""
    places = zip(low_frequencies(plane), np.ravel(table)[LOW_FREQUENCIES], steps_by_quality().T)
    for coefficients, step, steps in places:
        level = np.abs(np.rint(coefficients / step)).astype(int)
        near = np.abs(np.abs(coefficients) - level * step) <= _NEAR
        level = level[near & (level > 0) & (level <= _LEVELS)]
        if len(level) >= _LEAST_COEFFICIENTS:
            yield int(step), np.bincount(level, minlength=_LEVELS + 1)[1:], steps


def _gains(step: int, earlier: Sequence[int], histogram: np.ndarray) -> np.ndarray:
    """Returns the logarithms of how much likelier each earlier step is than none."""
    models = [_log_probabilities(step, None), *(_log_probabilities(step, t) for t in earlier)]
    likelihoods = (np.stack(models) @ histogram).max(axis=1)
    return likelihoods[1:] - likelihoods[0]


@functools.lru_cache(maxsize=2**13)
def _log_probabilities(step: int, earlier: int | None) -> np.ndarray:
    """Returns log-probabilities of |level| = 1, 2, …, given it is not 0; scales of density first.

    The coefficient was quantized by `step` alone, or by an earlier step before.
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
        second = _normal((upper - centre) / _ROUNDING) - _normal((lower - centre) / _ROUNDING)
        probabilities = first @ second
    probabilities += 1e-12
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return np.log((1 - _OUTLIERS) * probabilities + _OUTLIERS / _LEVELS)


def _normal(x: np.ndarray) -> np.ndarray:
    """The normal distribution function, to 3·10⁻⁴ (Page, Applied Statistics 1977)."""
    return (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2
