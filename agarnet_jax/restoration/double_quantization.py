"""Traces of an earlier JPEG on the same grid: coefficients that were quantized twice.

Steps t₁ > t₂ leave only those multiples of t₂ in use that lie nearest to a multiple of t₁, so the
histogram of a frequency has gaps or peaks at regular places (Lukáš & Fridrich, DFRWS 2003; Popescu
& Farid, IH 2004). The likelihoods of one and of two quantizations of the same (Laplacian) density
are compared. An earlier step that is equal or finer leaves hardly a trace and does hardly any harm.
"""

import functools

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, FREQUENCIES, ZIGZAG
from agarnet_jax.restoration import block_transform, grid_traces

_LOW_FREQUENCIES = 20  # the lowest but the mean; others are mostly zero
_LEVELS = 24  # multiples of the step that are told apart; more are rare
_LEAST_COEFFICIENTS = 10
_PENALTY = 4.0  # for the choice of t₁, at each frequency
_ROUNDING = 0.45  # levels; of pixels between the two compressions, in RGB
_OUTLIERS = 0.03  # share of coefficients from no model
_STEP_RATIO, _STEP_MAX = 5, 120  # of t₁
_SCALES = np.geomspace(1, 200, 16)  # of the Laplacian density, levels


def evidence(luma: np.ndarray, *, table: np.ndarray) -> float:
    """Logarithm of how much likelier two quantizations are than one, for each coefficient.

    The mean over coefficients of low frequency that are not zero; 0 and little more for single
    compression, and for pictures that have too few to tell.

    Args:
      luma: (H, W) uint8, decoded; the grid begins at its corner.
      table: the quantization table (8, 8) of its last compression, in raster order.
    """
    coefficients = _coefficients(luma)
    gain, count = 0.0, 0
    for index in ZIGZAG[1 : 1 + _LOW_FREQUENCIES]:
        step = int(np.ravel(table)[index])
        level = np.abs(np.rint(coefficients[index] / step)).astype(int)
        level = level[(level > 0) & (level <= _LEVELS)]
        if len(level) < _LEAST_COEFFICIENTS:
            continue
        histogram = np.bincount(level, minlength=_LEVELS + 1)[1:]
        likelihood = (_log_probabilities(step) @ histogram).max(axis=1)
        gain += max(float(likelihood[1:].max() - likelihood[0]) - _PENALTY, 0.0)
        count += len(level)
    return gain / count if count else 0.0


def _coefficients(luma: np.ndarray) -> np.ndarray:
    """(64, blocks), raster order: of blocks spread over the picture."""
    found = [np.empty((0, FREQUENCIES), np.float32)]
    for band in grid_traces.bands(luma):
        height, width = (side - side % BLOCK for side in band.shape)
        found.append(block_transform.forward(band[:height, :width]).reshape(-1, FREQUENCIES))
    return np.concatenate(found).T


@functools.lru_cache(maxsize=256)
def _log_probabilities(step: int) -> np.ndarray:
    """Of |level| = 1, 2, … (last axis) where it is not 0, for densities of several scales (middle).

    The first entry of the first axis is one quantization by `step`, others two, with earlier steps
    of `step` + 1 and more.
    """
    level = np.arange(1, _LEVELS + 1)
    lower, upper = (level - 0.5) * step, (level + 0.5) * step
    scale = _SCALES[:, None]
    models = [np.exp(-lower / scale) - np.exp(-upper / scale)]
    largest = max(min(_STEP_RATIO * step + BLOCK, _STEP_MAX), step + 1)
    for earlier in range(step + 1, largest + 1):
        multiple = np.arange(int(upper[-1] / earlier) + 2)
        below, beyond = ((multiple + end) * earlier / scale for end in (-0.5, 0.5))
        first = np.where(multiple == 0, 1 - np.exp(-beyond), (np.exp(-below) - np.exp(-beyond)) / 2)
        centre = multiple[:, None] * earlier
        second = _normal((upper - centre) / _ROUNDING) - _normal((lower - centre) / _ROUNDING)
        models.append(first @ second)
    probabilities = np.stack(models) + 1e-12
    probabilities /= probabilities.sum(axis=2, keepdims=True)
    return np.log((1 - _OUTLIERS) * probabilities + _OUTLIERS / _LEVELS)


def _normal(x: np.ndarray) -> np.ndarray:
    """The normal distribution function, to 3·10⁻⁴ (Page, Applied Statistics 1977)."""
    return (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2
