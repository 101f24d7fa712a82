"""Quantization-step estimation: detects the steps, and from them the quality, of the last JPEG.

Coefficients of a decoded image lie near multiples of the steps of its last compression (Fan &
de Queiroz, IEEE TIP 2003). Where enough of them are nonzero, each step can be detected, and the
steps determine the quality far more exactly than texture does. They carry no information about
earlier compressions: an image that looks worse than its steps was compressed before.
"""

import numpy as np

from agarnet_jax.jpeg_tables import MIN_QUALITY, effective_quality
from agarnet_jax.restoration.pixels import PlaneReader
from agarnet_jax.restoration.traces import table_fit
from agarnet_jax.restoration.traces.coefficient_sample import (
    LOW_FREQUENCIES,
    sample_low_frequencies,
    steps_by_quality,
)

_MIN_COEFFICIENTS = 16  # nonzero
_ROUNDING = 0.3  # levels, standard deviation of coefficients due to rounding of pixels
_MIN_CONCENTRATION = 0.7  # fraction of the one expected from a step and rounding alone
_MIN_SIGNIFICANCE = 5.0  # standard deviations of the mean cosine without a step
_NEIGHBOUR_RATIO = 0.75  # to a matching step; smaller ones above it may match better
_COARSE = 8  # no IJG table has both this step and 1 among the lowest frequencies
_MIN_STEPS = 3
# How far an estimate may lie below the detected quality (absolutely, and as a fraction of it) or
# above it to be replaced by it: two standard deviations of estimates or more.
_MAX_BELOW, _MAX_BELOW_FRACTION = 12.0, 1 / 5
_MAX_ABOVE = 15.0
# A quality that leaves hardly anything to restore, and the limit from there on, either way.
_NEARLY_LOSSLESS, _MAX_DISTANCE_NEARLY_LOSSLESS = 96, 20.0
# From this quality on, steps are more reliable than the network for the cells of a map and for
# tables other than IJG's; below, the network may be.
_FINE = 90
# Steps up to this many levels are detected without error, some coarser ones are not. The fraction
# of steps that may differ from a table's, with a median step up to and above it.
_EXACT, _MAX_DIFFERING_EXACT, _MAX_DIFFERING = 8, 0.05, 0.4
# For `fitting_quality`: coefficients up to this magnitude may be zero; how many per frequency are
# used; their spread around multiples in colour images; the fraction elsewhere, due to clipping.
_MAX_ZERO, _MAX_COEFFICIENTS, _SPREAD, _OUTLIERS = 1.5, 400, 0.45, 0.3
# Also for it, the minimum log-likelihood gain, per coefficient and in total. With tables other than
# IJG's, the former reaches 0.21.
_MIN_FIT, _MIN_TOTAL_FIT = 0.3, 20.0


def refine_estimate(estimate: float, detected: float | None) -> float:
    """Replaces a quality estimate by the detected quality (`detect_quality`) where they are close.

    An estimate well below the detected quality is kept: it indicates an earlier, coarser
    compression. The limit is wider for estimates above the detected quality, as no image is better
    than its last compression. It is still finite, as graphics may appear to have steps, too. Both
    limits are wider for nearly lossless steps, where restoring a good image does more harm than
    leaving a recompressed one as it is.
    """
    if detected is None:
        return estimate
    return float(_replace_near(np.asarray(estimate, np.float64), detected))


def refine_cells(cells: np.ndarray, detected: float | None) -> np.ndarray:
    """Does the same for each cell of a map (rows, columns) if the detected quality is high.

    There, the noise of a map does more harm than good; below, a map may be more accurate than the
    steps.
    """
    return cells if detected is None or detected < _FINE else _replace_near(cells, detected)


def _replace_near(estimates: np.ndarray, detected: float) -> np.ndarray:
    if detected >= _NEARLY_LOSSLESS:
        below = above = _MAX_DISTANCE_NEARLY_LOSSLESS
    else:
        below, above = min(_MAX_BELOW, _MAX_BELOW_FRACTION * detected), _MAX_ABOVE
    near = (estimates - detected >= -below) & (estimates - detected <= above)
    return np.where(near, detected, estimates).astype(estimates.dtype)


def detect_quality(plane: PlaneReader, *, table: np.ndarray | None = None) -> float | None:
    """Detects the quality 1–100 of a plane's last compression; None if too few steps are detected.

    This is the IJG quality or, from 90 on, the effective quality of another table (`table_fit.py`).
    For coarser tables of other encoders the network's estimate is as good.

    Args:
      plane: luma (H, W) in [0, 1]; the 8×8 grid begins at its top left corner.
      table: (8, 8) in raster order, a candidate such as the table of the file's header; used if the
        steps agree with it.
    """
    steps = detect_steps(plane, table=table)
    if (steps > 0).sum() < _MIN_STEPS:
        return None
    if table is not None:
        candidate = table.ravel()[LOW_FREQUENCIES]
        enough = (candidate == steps).sum() >= _MIN_STEPS
        if enough and _differing_fraction(candidate, steps) <= _max_differing_fraction(steps):
            return float(effective_quality(table))
    tables = steps_by_quality()
    differing = _differing_fraction(tables, steps)
    if differing.min() > _max_differing_fraction(steps):
        fitted = table_fit.quality(steps)
        return fitted if fitted is not None and fitted >= _FINE else None
    # Neighbouring qualities may agree in all detected steps above 1; then steps of 1 decide, and a
    # remaining tie gives the mean.
    ones = np.where(differing == differing.min(), (tables[:, steps == 1] == 1).sum(axis=1), -1)
    return MIN_QUALITY + float(np.flatnonzero(ones == ones.max()).mean())


def _differing_fraction(tables: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Returns (…): the fraction of the steps above 1 that differ from those of tables (…, 20)."""
    above_one = steps > 1
    return (tables[..., above_one] != steps[above_one]).sum(axis=-1) / max(1, above_one.sum())


def _max_differing_fraction(steps: np.ndarray) -> float:
    coarse = steps.max() > 1 and np.median(steps[steps > 1]) > _EXACT
    return _MAX_DIFFERING if coarse else _MAX_DIFFERING_EXACT


def fitting_quality(plane: PlaneReader) -> int | None:
    """Returns the IJG quality 1–100 whose table fits the coefficients best; None if none fits.

    Unlike detecting single steps, this also works for recompressed planes, in which a coarser
    earlier step leaves only some multiples of a step in use. Tables with hardly any step coarser
    than rounding, as from quality 95 on, are not found.

    Args:
      plane: as for `detect_quality`.
    """
    gains, count = np.zeros(len(steps_by_quality())), 0
    coefficients, _ = sample_low_frequencies(plane)
    for magnitudes, steps in zip(np.abs(coefficients), steps_by_quality().T):
        values = magnitudes[magnitudes > _MAX_ZERO]
        values = values[:: max(1, len(values) // _MAX_COEFFICIENTS)]
        count += len(values)
        candidates, candidate_of_quality = np.unique(steps, return_inverse=True)
        gains += _fit_gains(values, candidates.astype(np.float32)[:, None])[candidate_of_quality]
    if gains.max() <= max(_MIN_FIT * count, _MIN_TOTAL_FIT):
        return None
    return MIN_QUALITY + int(gains.argmax())


def _fit_gains(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Returns the log-likelihood ratios of multiples of steps (n, 1) over a smooth density."""
    residual = values - np.rint(values / steps) * steps
    near = sum(np.exp(-(((residual + k * steps) / _SPREAD) ** 2) / 2) for k in (-1, 0, 1))
    density = near * steps / (_SPREAD * np.sqrt(2 * np.pi))
    return np.log((1 - _OUTLIERS) * density + _OUTLIERS).sum(axis=1)


def detect_steps(plane: PlaneReader, *, table: np.ndarray | None = None) -> np.ndarray:
    """Returns the steps (20,) of the lowest AC frequencies in zigzag order; 0 where unknown.

    Candidates are the steps of IJG's tables and of `table`. A 1 may also be a step hidden by noise.
    Clipped pixels hide steps, too: where none is detected, blocks without them are tried alone.
    """
    possible = steps_by_quality()
    if table is not None:
        possible = np.concatenate([possible, table.ravel()[None, LOW_FREQUENCIES]])
    coefficients, clipped = sample_low_frequencies(plane)
    steps = np.empty(len(coefficients), int)
    for i, (magnitudes, candidates) in enumerate(zip(np.abs(coefficients), possible.T)):
        steps[i] = _detect_step(magnitudes, np.unique(candidates))
        if steps[i] <= 1 and clipped.any():
            steps[i] = _detect_step(magnitudes[~clipped], np.unique(candidates))
    # A 1 next to coarse steps is an artifact of pixels clipped to black and white.
    return np.where((steps == 1) & (steps.max() > _COARSE), 0, steps)


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
