"""Quantization tables of other encoders than IJG's, from some of their steps.

Tables of cameras and editors differ from IJG's in how steps grow with frequency, but grow smoothly
or along Annex K's. So their logarithms are fitted as s + γ · log(Annex K) + δ · √frequency: γ is 1
in scaled Annex K tables and 0 in flat and smooth ones. Steps that are far from it were misread.
"""

import numpy as np

from agarnet_jax.jpeg_tables import ANNEX_K_LUMINANCE, BLOCK, effective_quality
from agarnet_jax.restoration.traces.coefficient_sample import LOW_FREQUENCIES

_LEAST_STEPS = 8
_FAR = 0.2  # |ln(step / fitted, rounded)|
_LEAST_SHARE = 0.6  # of steps that are not far
_ROUNDS = 3
_TERMS = np.stack(
    [
        np.ones(BLOCK * BLOCK),
        np.log(ANNEX_K_LUMINANCE.ravel()),
        np.sqrt(np.hypot(*np.mgrid[:BLOCK, :BLOCK])).ravel(),
    ],
    axis=-1,
)


def quality(found: np.ndarray) -> float | None:
    """The effective quality 1–100 of a table; None if too few steps lie near a smooth one.

    Args:
      found: (20,) steps of `LOW_FREQUENCIES`; 0 if not known. A 1 may be a step that is hidden.
    """
    known = found > 1 if (found > 1).sum() >= _LEAST_STEPS else found > 0
    logarithms = np.log(np.maximum(found, 1, dtype=np.float64))
    terms, used = _TERMS[LOW_FREQUENCIES], known
    for _ in range(_ROUNDS):
        if used.sum() < max(_LEAST_STEPS, _LEAST_SHARE * known.sum()):
            return None
        factors, *_ = np.linalg.lstsq(terms[used], logarithms[used], rcond=None)
        fitted = np.maximum(np.rint(np.exp(terms @ factors)), 1)
        used = known & (np.abs(np.log(fitted) - logarithms) <= _FAR)
    return float(effective_quality(np.clip(np.exp(_TERMS @ factors), 1, 255)))
