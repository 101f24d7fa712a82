"""Flat areas, such as borders and backgrounds, carry no information about the JPEG quality.

JPEG at any quality leaves a flat area unchanged. The estimator was trained on photographs and
treats it as coarsely compressed, so a wide border would dominate the estimate for the whole image.
"""

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, MAX_QUALITY
from agarnet_jax.models import CELL
from agarnet_jax.restoration.pixels import PlaneReader

_MIN_DIFFERENCE = 0.5 / 255  # above half a level, neighbouring pixels count as different


def detail_fractions(plane: PlaneReader, *, excluded: np.ndarray | None = None) -> np.ndarray:
    """Returns each cell's fraction of 8×8 blocks with detail.

    A block has detail if one of its pixels differs from the next pixel to the right or below.

    Args:
      plane: (H, W) in [0, 1].
      excluded: (⌈H / 8⌉, ⌈W / 8⌉) boolean, blocks that count as flat.

    Returns:
      (⌈H / 64⌉, ⌈W / 64⌉) in [0, 1].
    """
    height, width = plane.shape
    detailed = np.concatenate([_have_detail(plane, top) for top in range(0, height, CELL)])
    if excluded is not None:
        detailed[: len(excluded), : excluded.shape[1]] &= ~excluded
    per_side = CELL // BLOCK
    rows, columns = (side // per_side for side in detailed.shape)
    counts = detailed.reshape(rows, per_side, columns, per_side).sum(axis=(1, 3))
    return counts / np.outer(_counts(height, BLOCK), _counts(width, BLOCK))


def mean_quality(cells: np.ndarray, fractions: np.ndarray, size: tuple[int, int]) -> float:
    """Returns the mean of cells by area and squared detail fraction; by area if all are flat.

    The fractions are squared because the estimator sees a flat area from neighbouring cells, too.
    """
    weights = fractions**2 if fractions.any() else np.ones_like(fractions)
    return float(np.average(cells, weights=weights * np.outer(*(_counts(s, 1) for s in size))))


def fill_flat_cells(cells: np.ndarray, fractions: np.ndarray, estimate: float) -> np.ndarray:
    """Returns the cells of a map with flat ones replaced by the image's estimate.

    A cell is flat if its detail fraction is below estimate / 100: the higher the quality, the more
    blocks keep their detail.
    """
    return np.where(fractions < estimate / MAX_QUALITY, np.float32(estimate), cells)


def _have_detail(plane: PlaneReader, top: int) -> np.ndarray:
    """Marks blocks with detail in the row of cells that begins at `top`; (8, 8 cells)."""
    height, width = plane.shape
    pixels = plane[top : min(height, top + CELL + 1), 0:width]
    differs = np.zeros((CELL, -(-width // CELL) * CELL), bool)
    below = np.abs(np.diff(pixels, axis=0)) > _MIN_DIFFERENCE
    right = np.abs(np.diff(pixels[:CELL], axis=1)) > _MIN_DIFFERENCE
    differs[: len(below), :width] |= below
    differs[: len(right), : width - 1] |= right
    return np.any(differs.reshape(CELL // BLOCK, BLOCK, -1, BLOCK), axis=(1, 3))


def _counts(side: int, unit: int) -> np.ndarray:
    """Counts the units, partial ones included, in each cell along an axis."""
    pixels = np.clip(side - CELL * np.arange(-(-side // CELL)), 0, CELL)
    return -(-pixels // unit)
