"""Quality from the quantization steps that coefficients show, where they do.

A decoded image's coefficients lie near multiples of the steps of its last compression (Fan &
de Queiroz, IEEE TIP 2003). Where enough of them are not zero, each step can be read off, and with
the steps the quality, far more exactly than texture tells it. Of earlier compressions they tell
nothing: what looks worse than its steps was compressed before.
"""

import functools
from typing import Any

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, MAX_QUALITY, MIN_QUALITY, ZIGZAG, quality_table
from agarnet_jax.restoration import block_transform

_LOW_FREQUENCIES = 20  # the lowest but the mean; others are mostly zero
_PIXELS_MAX = 2**17  # looked at
_PIECE = 512  # pixels side by side
_LEAST_COEFFICIENTS = 16  # that are not zero
_ROUNDING = 0.3  # levels, standard deviation: of pixels to whole levels, seen in coefficients
_LEAST_SHARE = 0.7  # of the concentration that steps and that rounding alone would make
_LEAST_SIGNIFICANCE = 5.0  # standard deviations of the mean cosine of coefficients without steps
_NEIGHBOURS = 0.75  # of a step that fits, next to which a smaller one may fit better
_COARSE = 8  # no table of IJG has both this step and 1 among the lowest frequencies
_LEAST_STEPS = 3
_NEAR, _NEAR_SHARE = 12.0, 1 / 5  # of quality; two standard deviations of estimates or more
_NEAR_ABOVE = 15.0
_LOSSLESS, _NEAR_LOSSLESS = 96, 20.0  # quality that leaves hardly anything to restore
_EXACT_CELLS = 90  # quality from which cells of a map become exact, too
_LARGEST_MISFIT = 0.1  # mean |ln(step / table's)| over the steps found


def refined(estimate: float, shown: float | None) -> float:
    """The quality that steps show (what `quality` found), where an estimate is near it.

    Further below, the estimate holds: there was an earlier compression. Nothing is better than its
    last compression, so near is wider above, though not unlimited: pictures that were drawn may
    show steps, too. And it is wider where steps are next to nothing: restoring an image that is as
    good as that does more harm than leaving one alone that was worse before.
    """
    return estimate if shown is None else float(_exact(np.asarray(estimate, np.float64), shown))


def refined_cells(cells: np.ndarray, shown: float | None) -> np.ndarray:
    """The same of each cell of a map (rows, columns), where the quality shown is high.

    There a map that wavers does more harm than good; below, it may know more than the steps.
    """
    return cells if shown is None or shown < _EXACT_CELLS else _exact(cells, shown)


def _exact(estimates: np.ndarray, shown: float) -> np.ndarray:
    below = _NEAR_LOSSLESS if shown >= _LOSSLESS else min(_NEAR, _NEAR_SHARE * shown)
    near = (estimates - shown >= -below) & (estimates - shown <= max(below, _NEAR_ABOVE))
    return np.where(near, shown, estimates).astype(estimates.dtype)


def quality(plane: Any) -> float | None:
    """The IJG quality 1–100 of a plane's last compression, on the grid at its corner.

    None if too few steps show, or none of IJG's tables has them.

    Args:
      plane: luma (H, W) in [0, 1], an array or anything else that is read by [rows, columns].
    """
    found = steps(plane)
    known = found > 0
    if known.sum() < _LEAST_STEPS:
        return None
    misfit = np.abs(np.log(_tables()[:, known] / found[known])).mean(axis=1)
    if misfit.min() > _LARGEST_MISFIT:
        return None
    # Neighbouring qualities can share all steps that show.
    return MIN_QUALITY + float(np.flatnonzero(misfit == misfit.min()).mean())


def steps(plane: Any) -> np.ndarray:
    """The steps (20,) of the lowest frequencies but the mean, in zigzag order; 0 if not known."""
    pairs = zip(np.abs(_coefficients(plane)), _tables().T)
    found = np.array([_step(values, np.unique(candidates)) for values, candidates in pairs])
    # Beside coarse steps there are none of 1: pixels clipped to black and white look so.
    return np.where((found == 1) & (found.max() > _COARSE), 0, found)


def _step(values: np.ndarray, candidates: np.ndarray) -> int:
    """Of one frequency: the largest step whose multiples its coefficients lie near."""
    values = values[values > 1]
    best, largest = (0.0, 0), 0
    for step in candidates[candidates > 1][::-1]:
        if step < _NEIGHBOURS * largest:
            break
        used = values[values > step / 2]
        if len(used) < _LEAST_COEFFICIENTS:
            continue
        concentration = np.cos(2 * np.pi / step * used).mean()
        expected = np.exp(-2 * (np.pi * _ROUNDING / step) ** 2)
        least = max(_LEAST_SHARE * expected, _LEAST_SIGNIFICANCE / np.sqrt(2 * len(used)))
        if concentration > least:
            largest = max(largest, step)
            best = max(best, (concentration, int(step)))
    if best[1]:
        return best[1]
    # Steps of 2 would show; those of 1 are lost in rounding.
    return 1 if len(values) >= 4 * _LEAST_SIGNIFICANCE**2 else 0


def _coefficients(plane: Any) -> np.ndarray:
    """(20, blocks) in levels, of pieces of rows of blocks spread evenly over the plane."""
    height, width = (side - side % BLOCK for side in plane.shape)
    found = [np.empty((0, BLOCK * BLOCK), np.float32)]
    starts = range(0, width, _PIECE)
    count = height // BLOCK * len(starts)
    wanted = min(count, _PIXELS_MAX // (BLOCK * min(width, _PIECE))) if count else 0
    for number in range(wanted):
        row, column = divmod(number * (count - 1) // max(1, wanted - 1), len(starts))
        start = starts[column]
        rows = slice(row * BLOCK, (row + 1) * BLOCK)
        piece = 255 * plane[rows, start : min(start + _PIECE, width)].astype(np.float32)
        found.append(block_transform.forward(piece).reshape(-1, BLOCK * BLOCK))
    return np.concatenate(found).T[ZIGZAG[1 : 1 + _LOW_FREQUENCIES]]


@functools.cache
def _tables() -> np.ndarray:
    """(100, 20): the steps of each quality."""
    tables = [quality_table(q).ravel() for q in range(MIN_QUALITY, MAX_QUALITY + 1)]
    return np.stack(tables)[:, ZIGZAG[1 : 1 + _LOW_FREQUENCIES]].astype(np.float64)
