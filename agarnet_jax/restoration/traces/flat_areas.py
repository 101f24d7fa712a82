"""Areas without detail, such as borders and backgrounds, which tell nothing of a quality.

Every JPEG leaves a flat areas as it was. The estimator has learned photographs and takes it for
the work of a coarse one, so a wide border would decide what is assumed of all.
"""

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, MAX_QUALITY
from agarnet_jax.models import CELL
from agarnet_jax.restoration.pixels import PlaneReader

_DIFFERENT = 0.5 / 255  # pixels are, from half a level on


def shares_of_detail(plane: PlaneReader) -> np.ndarray:
    """Returns each cell's share of 8×8 blocks in which pixels differ from those right or below.

    Args:
      plane: (H, W) in [0, 1].

    Returns:
      (⌈H / 64⌉, ⌈W / 64⌉) in [0, 1].
    """
    height, width = plane.shape
    blocks = np.outer(_counts(height, BLOCK), _counts(width, BLOCK))
    return np.stack([_with_detail(plane, top) for top in range(0, height, CELL)]) / blocks


def mean_quality(cells: np.ndarray, shares: np.ndarray, size: tuple[int, int]) -> float | None:
    """The mean of cells by their area and the squares of their shares; None if all are plain.

    Squared, for at the edge of a flat areas the estimator sees it from the next cell, too.
    """
    weights = np.outer(*(_counts(side, 1) for side in size)) * shares**2
    total = weights.sum()
    return float((weights * cells).sum() / total) if total else None


def filled(cells: np.ndarray, shares: np.ndarray, estimate: float) -> np.ndarray:
    """The cells of a map, plain ones with the image's estimate.

    The better an image, the more of its blocks keep detail: plain are cells of less than so many
    hundredths.
    """
    return np.where(shares < estimate / MAX_QUALITY, np.float32(estimate), cells)


def _with_detail(plane: PlaneReader, top: int) -> np.ndarray:
    """Counts the blocks with detail in each cell of a row."""
    height, width = plane.shape
    pixels = plane[top : min(height, top + CELL + 1), 0:width]
    differs = np.zeros((CELL, -(-width // CELL) * CELL), bool)
    below = np.abs(np.diff(pixels, axis=0)) > _DIFFERENT
    right = np.abs(np.diff(pixels[:CELL], axis=1)) > _DIFFERENT
    differs[: len(below), :width] |= below
    differs[: len(right), : width - 1] |= right
    blocks = differs.reshape(CELL // BLOCK, BLOCK, -1, BLOCK).any(axis=(1, 3))
    return blocks.reshape(CELL // BLOCK, -1, CELL // BLOCK).sum(axis=(0, 2))


def _counts(side: int, unit: int) -> np.ndarray:
    """Counts the units, begun ones included, that each cell of an axis has."""
    pixels = np.clip(side - CELL * np.arange(-(-side // CELL)), 0, CELL)
    return -(-pixels // unit)
