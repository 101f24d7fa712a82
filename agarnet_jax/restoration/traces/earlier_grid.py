"""Traces of an earlier JPEG whose grid lay elsewhere, in a picture whose last grid is known.

Blocks cut at the earlier grid have more coefficients near zero than blocks cut at other places,
though the later compression blurs the zeros (compare Bianchi & Piva, IEEE TIFS 2012, who look for
periods of the DC coefficient at every phase). What other places are like is known from symmetry,
ours: seen from the later grid alone, a block cut r rows down is the mirror image of one cut r rows
up.
"""

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.traces import grid_traces
from agarnet_jax.restoration.traces.grid_traces import PHASES

# Chosen on training and validation pictures; `python -m benchmarks.history` measures the result.
_ZERO = 3.0  # levels; what the later compression leaves of zeros
_SIGNIFICANT = 3.5  # standard errors above the mirrored phases; the most of 60
# Phases that mirror only themselves are compared with one another, in standard deviations of cells.
_LEAST_EFFECT_HALF, _LEAST_EFFECT_BOTH = 0.3, 0.1
_LEAST_CELLS = 12
_HALF = BLOCK // 2


def find_earlier_grid(luma: np.ndarray | Plane) -> tuple[int, int] | None:
    """Row and column, 0–7, of an earlier grid other than that at (0, 0); None: no trace of one.

    Args:
      luma: (H, W), uint8, or floating point in [0, 1]; the last grid begins at its corner.

    Raises:
      ValueError: another shape or dtype.
    """
    found = [grid_traces.zero_counts(band, zero=_ZERO) for band in grid_traces.bands(luma)]
    cells = np.concatenate([np.empty((0, PHASES), np.float32), *found])
    if len(cells) < _LEAST_CELLS:
        return None
    above = _effects(cells - cells @ _MIRRORS.T)
    above[_MIRRORS.sum(axis=1) == 0] = 0
    best = int(above.argmax())
    if above[best] * len(cells) ** 0.5 > _SIGNIFICANT:
        return divmod(best, BLOCK)
    return _half_a_block_away(cells)


def _half_a_block_away(cells: np.ndarray) -> tuple[int, int] | None:
    """Phases (0, 4), (4, 0) and (4, 4) mirror themselves; all stand out a little in any JPEG.

    A grid shifted one way lifts one of the first two above the other, one shifted both ways lifts
    the third above both.
    """
    right, down, both = (0, _HALF), (_HALF, 0), (_HALF, _HALF)
    lift = {phase: _lift(cells, phase) for phase in (right, down, both)}
    error = len(cells) ** -0.5
    if lift[both] - max(lift[right], lift[down]) > max(_LEAST_EFFECT_BOTH, _SIGNIFICANT * error):
        return both
    least = max(_LEAST_EFFECT_HALF, _SIGNIFICANT * error)
    if abs(lift[right] - lift[down]) > least:
        return right if lift[right] > lift[down] else down
    return None


def _lift(cells: np.ndarray, phase: tuple[int, int]) -> float:
    """Returns how far a phase is above its neighbours, one row or column from half a block."""
    row, column = phase
    around = [(row + step, column) for step in (-1, 1) if row == _HALF]
    around += [(row, column + step) for step in (-1, 1) if column == _HALF]
    beside = np.mean([cells[:, BLOCK * r + c] for r, c in around], axis=0)
    return float(_effects((cells[:, BLOCK * row + column] - beside)[:, None])[0])


def _effects(differences: np.ndarray) -> np.ndarray:
    """Means over cells in standard deviations."""
    return differences.mean(axis=0) / (differences.std(axis=0) + 1e-6)


def _mirrors() -> np.ndarray:
    """(64, 64): row p averages the phases that are mirror images of phase p, other than p."""
    weights = np.zeros((PHASES, PHASES), np.float32)
    for phase in range(PHASES):
        row, column = divmod(phase, BLOCK)
        images = {BLOCK * r + c for r in (row, -row % BLOCK) for c in (column, -column % BLOCK)} - {
            phase
        }
        weights[phase, list(images)] = 1 / max(len(images), 1)
    return weights


_MIRRORS = _mirrors()
