"""Quantization-step estimation: detects the steps of the last JPEG compression, one by one.

Coefficients of a decoded image lie near multiples of the steps of its last compression (Fan &
de Queiroz, IEEE TIP 2003). Where enough of them are nonzero, each step can be detected, whatever
the other steps are. `requantization.py` is more reliable, but only tells known tables apart.
"""

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, quality_table
from agarnet_jax.restoration import block_transform
from agarnet_jax.restoration.pixels import PlaneReader
from agarnet_jax.restoration.traces.block_sample import (
    sample_blocks,
    sample_low_frequencies,
    steps_by_quality,
)

_MIN_COEFFICIENTS = 16  # nonzero
_ROUNDING = 0.3  # levels, standard deviation of coefficients due to rounding of pixels
_MIN_CONCENTRATION = 0.7  # fraction of the one expected from a step and rounding alone
_MIN_SIGNIFICANCE = 5.0  # standard deviations of the mean cosine without a step
# For `has_steps_of_99`: the mean cosine is 0.54 to 0.71 there, and at most 0.43 in images that were
# never compressed or that were edited after decoding.
_MIN_CONCENTRATION_OF_99, _MIN_COEFFICIENTS_OF_99 = 0.5, 100
_NEIGHBOUR_RATIO = 0.75  # to a matching step; smaller ones above it may match better
_COARSE = 8  # no IJG table has both this step and 1 among the lowest frequencies


def detect_steps(plane: PlaneReader) -> np.ndarray:
    """Returns the steps (20,) of the lowest AC frequencies in zigzag order; 0 where unknown.

    Candidates are the steps of IJG's tables. A 1 may also be a step hidden by noise. Clipped pixels
    hide steps, too: where none is detected, blocks without them are tried alone.

    Args:
      plane: luma (H, W), uint8 or in [0, 1]; the 8×8 grid begins at its top left corner.
    """
    coefficients, clipped = sample_low_frequencies(plane)
    steps = np.empty(len(coefficients), int)
    for i, (magnitudes, candidates) in enumerate(zip(np.abs(coefficients), steps_by_quality().T)):
        steps[i] = _detect_step(magnitudes, np.unique(candidates))
        if steps[i] <= 1 and clipped.any():
            steps[i] = _detect_step(magnitudes[~clipped], np.unique(candidates))
    # Ones next to coarse steps are artifacts of pixels clipped to black and white; a few coarse
    # steps next to ones are found by chance.
    ones, coarse = steps == 1, steps > _COARSE
    if ones.any() and coarse.any():
        steps[ones if ones.sum() <= coarse.sum() else coarse] = 0
    return steps


def has_steps_of_99(plane: PlaneReader) -> bool:
    """Whether the high frequencies have the steps of 2 that quality 99 has there.

    Its other steps are 1, which rounding hides; so this is the only trace of that quality.

    Args:
      plane: as for `detect_steps`.
    """
    frequencies = quality_table(99).ravel() == 2
    coefficients = block_transform.forward_blocks(sample_blocks(plane))
    magnitudes = np.abs(coefficients.reshape(-1, BLOCK * BLOCK)[:, frequencies])
    values = magnitudes[magnitudes > 1.5]
    if len(values) < _MIN_COEFFICIENTS_OF_99:
        return False
    return bool(np.cos(np.pi * values).mean() >= _MIN_CONCENTRATION_OF_99)


def _detect_step(magnitudes: np.ndarray, candidates: np.ndarray) -> int:
    """Returns the largest step near whose multiples the coefficients of a frequency lie."""
    values = magnitudes[magnitudes > 1]
    best, largest = (0.0, 0), 0  # best: (concentration, step)
    for step in candidates[candidates > 1][::-1]:
        if step < _NEIGHBOUR_RATIO * largest:
            break
        used = values[values > step / 2]
        if len(used) < _MIN_COEFFICIENTS:
            continue
        concentration = np.cos(2 * np.pi / step * used).mean()
        expected = np.exp(-2 * (np.pi * _ROUNDING / step) ** 2)
        chance = _MIN_SIGNIFICANCE / np.sqrt(2 * len(used))
        if concentration > max(_MIN_CONCENTRATION * expected, chance):
            largest = max(largest, step)
            best = max(best, (concentration, int(step)))
    if best[1]:
        return best[1]
    # A step of 2 would be detected; one of 1 is lost in rounding.
    return 1 if len(values) >= 4 * _MIN_SIGNIFICANCE**2 else 0
