"""The quality of the last JPEG compression, as pixels tell it, and estimates refined by it.

It is far more exact than what the network can tell from texture, but carries no information about
earlier compressions: an image that looks worse was compressed before.
"""

import numpy as np

from agarnet_jax.jpeg_tables import effective_quality
from agarnet_jax.restoration.pixels import PlaneReader
from agarnet_jax.restoration.traces import quantization_steps, table_fit

_MIN_STEPS = 3
_FINEST = 99.5  # qualities 99 and 100 are indistinguishable from each other, and from no JPEG
# How far an estimate may lie below the detected quality (absolutely, and as a fraction of it) or
# above it to be replaced by it: two standard deviations of estimates or more.
_MAX_BELOW, _MAX_BELOW_FRACTION = 12.0, 1 / 5
_MAX_ABOVE = 15.0
# A quality that leaves hardly anything to restore, and the limit from there on, either way.
_NEARLY_LOSSLESS, _MAX_DISTANCE_NEARLY_LOSSLESS = 96, 20.0
# From this quality on, traces are more reliable than the network for the cells of a map and for
# tables other than IJG's; below, the network may be.
_FINE = 90


def detect_quality(plane: PlaneReader, *, table: np.ndarray | None) -> float | None:
    """Returns the quality 1–100 of a plane's last compression; None if it cannot be detected.

    Args:
      plane: luma (H, W), uint8 or in [0, 1]; the 8×8 grid begins at its top left corner.
      table: the one that blocks agree with (`requantization.find_table`). Without one, single steps
        may still tell the effective quality of another encoder's table, from 90 on. For coarser
        ones the network's estimate is as good.
    """
    if table is not None:
        return float(effective_quality(table))
    steps = quantization_steps.detect_steps(plane)
    if (steps > 0).sum() < _MIN_STEPS:
        return None
    if steps.max() == 1:
        return _FINEST
    fitted = table_fit.quality(steps)
    return fitted if fitted is not None and fitted >= _FINE else None


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
    return np.where(near, detected, estimates)
