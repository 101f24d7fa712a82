"""Detects the shifted grid of an earlier JPEG (non-aligned double compression).

Blocks at the earlier grid's phase have more coefficients near zero than blocks at other phases,
although the later compression blurs the zeros (compare Bianchi & Piva, IEEE TIFS 2012, who look for
periods of the DC coefficient at every phase). What to expect at each phase follows from a symmetry
(ours): with respect to the later grid alone, a block r rows down is the mirror image of one r rows
up.
"""

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.restoration.pixels import PlaneReader
from agarnet_jax.restoration.traces import grid_traces
from agarnet_jax.restoration.traces.grid_traces import PHASES

# Chosen on training and validation images; `python -m benchmarks.history` measures the result.
_ZERO = 3.0  # levels; the later compression moves most zeros by less
_SIGNIFICANCE = 3.5  # standard errors above the mirrored phases, for the maximum over 60 phases
# Phases that mirror only themselves are compared with one another, in standard deviations of cells.
_MIN_EFFECT_ONE_AXIS, _MIN_EFFECT_BOTH_AXES = 0.3, 0.1
_MIN_CELLS = 12
_HALF = BLOCK // 2


def find_earlier_grid(luma: PlaneReader) -> tuple[int, int] | None:
    """Returns (row, column), 0–7, of an earlier grid other than (0, 0); None if none is detected.

    Args:
      luma: (H, W), uint8, or floating point in [0, 1]; the last grid begins at its top left corner.

    Raises:
      ValueError: wrong shape or dtype.
    """
    counts = [grid_traces.zero_counts(band, zero=_ZERO) for band in grid_traces.bands(luma)]
    cells = np.concatenate([np.empty((0, PHASES), np.float32), *counts])
    if len(cells) < _MIN_CELLS:
        return None
    effects = _effect_sizes(cells - cells @ _MIRRORS.T)
    effects[_MIRRORS.sum(axis=1) == 0] = 0
    best = int(effects.argmax())
    if effects[best] * len(cells) ** 0.5 > _SIGNIFICANCE:
        return divmod(best, BLOCK)
    return _find_half_block_shift(cells)


def _find_half_block_shift(cells: np.ndarray) -> tuple[int, int] | None:
    """Tests the phases that mirror only themselves: (0, 4), (4, 0) and (4, 4).

    All three stand out slightly in any JPEG. A grid shifted along one axis lifts one of the first
    two above the other; a grid shifted along both axes lifts the third above both.
    """
    right, down, both = (0, _HALF), (_HALF, 0), (_HALF, _HALF)
    lift = {phase: _lift(cells, phase) for phase in (right, down, both)}
    threshold = _SIGNIFICANCE * len(cells) ** -0.5
    if lift[both] - max(lift[right], lift[down]) > max(_MIN_EFFECT_BOTH_AXES, threshold):
        return both
    if abs(lift[right] - lift[down]) > max(_MIN_EFFECT_ONE_AXIS, threshold):
        return right if lift[right] > lift[down] else down
    return None


def _lift(cells: np.ndarray, phase: tuple[int, int]) -> float:
    """Returns how far a phase exceeds its neighbours along the axes on which it is at 4."""
    row, column = phase
    neighbours = [(row + offset, column) for offset in (-1, 1) if row == _HALF]
    neighbours += [(row, column + offset) for offset in (-1, 1) if column == _HALF]
    mean = np.mean([cells[:, BLOCK * r + c] for r, c in neighbours], axis=0)
    return float(_effect_sizes((cells[:, BLOCK * row + column] - mean)[:, None])[0])


def _effect_sizes(differences: np.ndarray) -> np.ndarray:
    """Returns means over cells, in standard deviations."""
    return differences.mean(axis=0) / (differences.std(axis=0) + 1e-6)


def _mirrors() -> np.ndarray:
    """Returns (64, 64): row p averages the mirror images of phase p other than p itself."""
    weights = np.zeros((PHASES, PHASES), np.float32)
    for phase in range(PHASES):
        row, column = divmod(phase, BLOCK)
        images = {BLOCK * r + c for r in (row, -row % BLOCK) for c in (column, -column % BLOCK)}
        images.remove(phase)
        weights[phase, list(images)] = 1 / max(len(images), 1)
    return weights


_MIRRORS = _mirrors()
