"""Fits quantization tables of encoders other than the IJG library's to a subset of their steps.

Tables of cameras and editors differ from IJG's in how steps grow with frequency, but they grow
smoothly or like those of Annex K. The logarithms of steps are therefore fitted as
s + γ · log(Annex K) + δ · √frequency, where γ is 1 for scaled Annex K tables and 0 for flat and
smooth ones. Steps far from the fit are treated as misread.
"""

import numpy as np

from agarnet_jax.jpeg_tables import ANNEX_K_LUMINANCE, BLOCK, effective_quality
from agarnet_jax.restoration.traces.block_sample import LOW_FREQUENCIES

_MIN_STEPS = 8
_TOLERANCE = 0.2  # |ln(step / rounded fit)| of an inlier
_MIN_INLIER_FRACTION = 0.6
_ROUNDS = 3
_TERMS = np.stack(
    [
        np.ones(BLOCK * BLOCK),
        np.log(ANNEX_K_LUMINANCE.ravel()),
        np.sqrt(np.hypot(*np.mgrid[:BLOCK, :BLOCK])).ravel(),
    ],
    axis=-1,
)


def quality(steps: np.ndarray) -> float | None:
    """Returns the effective quality 1–100 of a table; None if too few steps fit a smooth one.

    Args:
      steps: (20,) at `LOW_FREQUENCIES`; 0 where unknown. A 1 may stand for a hidden step.
    """
    known = steps > 1 if (steps > 1).sum() >= _MIN_STEPS else steps > 0
    logarithms = np.log(np.maximum(steps, 1, dtype=np.float64))
    terms, inliers = _TERMS[LOW_FREQUENCIES], known
    for _ in range(_ROUNDS):
        if inliers.sum() < max(_MIN_STEPS, _MIN_INLIER_FRACTION * known.sum()):
            return None
        factors, *_ = np.linalg.lstsq(terms[inliers], logarithms[inliers], rcond=None)
        fitted = np.maximum(np.rint(np.exp(terms @ factors)), 1)
        inliers = known & (np.abs(np.log(fitted) - logarithms) <= _TOLERANCE)
    return float(effective_quality(np.clip(np.exp(_TERMS @ factors), 1, 255)))
