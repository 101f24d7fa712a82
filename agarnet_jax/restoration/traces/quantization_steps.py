"""Quality from the quantization steps that coefficients show, where they do.

A decoded image's coefficients lie near multiples of the steps of its last compression (Fan &
de Queiroz, IEEE TIP 2003). Where enough of them are not zero, each step can be read off, and with
the steps the quality, far more exactly than texture tells it. Of earlier compressions they tell
nothing: what looks worse than its steps was compressed before.
"""

import numpy as np

from agarnet_jax.jpeg_tables import MIN_QUALITY, effective_quality
from agarnet_jax.restoration.pixels import PlaneReader
from agarnet_jax.restoration.traces import table_law
from agarnet_jax.restoration.traces.coefficient_sample import (
    LOW_FREQUENCIES,
    low_frequencies,
    sample,
    steps_by_quality,
)

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
# Quality from which steps know more than the network where it may know more below: of cells of a
# map, and of tables that are not IJG's.
_FINE = 90
# Steps up to so many levels are read without error, of coarser ones some are not: the share of
# steps that may differ from those of a table, where their median is finer or coarser.
_EXACT, _DIFFERING_EXACT, _DIFFERING = 8, 0.05, 0.4
# Of `fitting_quality`: coefficients up to here may be zero; how many of a frequency are looked at;
# their spread around multiples, in colour; the share that is elsewhere, as pixels clip; and how
# much likelier they have to be, each and all. With tables that are not IJG's, each reaches 0.21.
_NOT_ZERO, _MOST_COEFFICIENTS, _SPREAD, _ELSEWHERE = 1.5, 400, 0.45, 0.3
_LEAST_FIT, _LEAST_FIT_IN_ALL = 0.3, 20.0


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
    return cells if shown is None or shown < _FINE else _exact(cells, shown)


def _exact(estimates: np.ndarray, shown: float) -> np.ndarray:
    below = _NEAR_LOSSLESS if shown >= _LOSSLESS else min(_NEAR, _NEAR_SHARE * shown)
    near = (estimates - shown >= -below) & (estimates - shown <= max(below, _NEAR_ABOVE))
    return np.where(near, shown, estimates).astype(estimates.dtype)


def quality(plane: PlaneReader, *, table: np.ndarray | None = None) -> float | None:
    """Reads the quality 1–100 of a plane's last compression, on the grid at its corner.

    It is the IJG's or, from 90 on, that of another table that loses as much (`table_law.py`); for
    coarser tables of other encoders the network's estimate is as good. None if too few steps show.

    Args:
      plane: luma (H, W) in [0, 1].
      table: (8, 8) in raster order, which may be that of the compression, as a file's header says;
        believed where the steps agree.
    """
    found = steps(plane, table=table)
    if (found > 0).sum() < _LEAST_STEPS:
        return None
    if table is not None:
        own = table.ravel()[LOW_FREQUENCIES]
        agree = (own == found).sum() >= _LEAST_STEPS
        if agree and _differing(own, found) <= _allowed(found):
            return float(effective_quality(table))
    tables = steps_by_quality()
    differing = _differing(tables, found)
    if differing.min() > _allowed(found):
        continued = table_law.quality(found)
        return continued if continued is not None and continued >= _FINE else None
    # Neighbouring qualities can share all steps above 1 that show, and those of 1, too.
    ones = np.where(differing == differing.min(), (tables[:, found == 1] == 1).sum(axis=1), -1)
    return MIN_QUALITY + float(np.flatnonzero(ones == ones.max()).mean())


def _differing(tables: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Returns the share (…) of the steps found above 1 that differ from (…, 20) tables."""
    shown = found > 1
    return (tables[..., shown] != found[shown]).sum(axis=-1) / max(1, shown.sum())


def _allowed(found: np.ndarray) -> float:
    coarse = found.max() > 1 and np.median(found[found > 1]) > _EXACT
    return _DIFFERING if coarse else _DIFFERING_EXACT


def fitting_quality(plane: PlaneReader) -> int | None:
    """The IJG quality 1–100 whose steps, taken together, coefficients fit best; None if none do.

    Of recompressed planes, too, where single steps mislead: after coarser ones only some multiples
    of a step are in use. It finds no quality of which hardly any coefficient would be coarser than
    rounding, as from 95 on.

    Args:
      plane: as of `quality`.
    """
    gains, count = np.zeros(len(steps_by_quality())), 0
    for every, steps in zip(np.abs(low_frequencies(plane)), steps_by_quality().T):
        values = every[every > _NOT_ZERO]
        values = values[:: max(1, len(values) // _MOST_COEFFICIENTS)]
        count += len(values)
        candidates, which = np.unique(steps, return_inverse=True)
        gains += _fits(values, candidates.astype(np.float32)[:, None])[which]
    if gains.max() <= max(_LEAST_FIT * count, _LEAST_FIT_IN_ALL):
        return None
    return MIN_QUALITY + int(gains.argmax())


def _fits(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Logarithms of how much likelier coefficients are as multiples of steps (n, 1) than as any."""
    away = values - np.rint(values / steps) * steps
    near = sum(np.exp(-(((away + k * steps) / _SPREAD) ** 2) / 2) for k in (-1, 0, 1))
    density = near * steps / (_SPREAD * np.sqrt(2 * np.pi))
    return np.log((1 - _ELSEWHERE) * density + _ELSEWHERE).sum(axis=1)


def steps(plane: PlaneReader, *, table: np.ndarray | None = None) -> np.ndarray:
    """The steps (20,) of the lowest frequencies but the mean, in zigzag order; 0 if not known.

    Looked for are those of IJG's tables, and of `table`. A 1 is also what noise hides. Pixels that
    clip hide steps, too: where none shows, only blocks without them are asked.
    """
    possible = steps_by_quality()
    if table is not None:
        possible = np.concatenate([possible, table.ravel()[None, LOW_FREQUENCIES]])
    coefficients, clipped = sample(plane)
    found = np.empty(len(coefficients), int)
    for i, (values, candidates) in enumerate(zip(np.abs(coefficients), possible.T)):
        found[i] = _step(values, np.unique(candidates))
        if found[i] <= 1 and clipped.any():
            found[i] = _step(values[~clipped], np.unique(candidates))
    # Beside coarse steps there are none of 1: pixels clipped to black and white look so.
    return np.where((found == 1) & (found.max() > _COARSE), 0, found)


def _step(values: np.ndarray, candidates: np.ndarray) -> int:
    """Returns the largest step whose multiples the coefficients of a frequency lie near."""
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
