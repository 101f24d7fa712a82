"""Decides whether a JPEG file was compressed once, with its own table, or holds an earlier JPEG.

Consistency with the file (`consistency.project`) is right for single compression only. Classifying
a single compression as double loses a little, the opposite error does harm; so any trace of an
earlier compression counts. An earlier compression of higher quality leaves no trace: its errors are
mostly smaller than the quantization intervals of the last one.
"""

import dataclasses

import numpy as np

from agarnet_jax.jpeg_tables import effective_quality
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader
from agarnet_jax.restoration.traces import double_quantization
from agarnet_jax.restoration.traces.earlier_grid import find_earlier_grid

# How far below the header's quality the estimate must lie to count. Depends on the shipped
# estimator: measure it again with `python -m benchmarks.history` when that changes.
ESTIMATE_BELOW_HEADER = 15.0

# Component codings for which `assess` was measured, and `spurious_estimate.py`, too.
ASSESSED_CODINGS = (Coding.GRAY, Coding.YCBCR)


@dataclasses.dataclass(frozen=True)
class History:
    """Whether a file was compressed once.

    single: no trace of an earlier compression was found.
    reasons: one phrase for each trace, or for why the file could not be assessed.
    """

    single: bool
    reasons: tuple[str, ...]


def assess(luma: np.ndarray, *, header: JpegHeader, estimated_quality: float | None) -> History:
    """Looks for traces of earlier compressions.

    Args:
      luma: (H, W) uint8, the first component as decoded, not converted to RGB and back.
      header: the file's header.
      estimated_quality: 1–100, estimated from the pixels; None: not estimated.

    Raises:
      ValueError: luma is not uint8 with two dimensions.
    """
    if luma.ndim != 2 or luma.dtype != np.uint8:
        raise ValueError(
            f"The first component must be (H, W) uint8, got {luma.dtype} {luma.shape}."
        )
    if header.coding not in ASSESSED_CODINGS:
        reason = f"recompression is detected in gray and YCbCr files only, not in {header.coding}"
        return History(False, (reason,))
    reasons = []
    quality = effective_quality(header.tables[0])
    if estimated_quality is not None and estimated_quality < quality - ESTIMATE_BELOW_HEADER:
        reasons.append(f"its pixels look like quality {estimated_quality:.0f}, not {quality}")
    if earlier := find_earlier_grid(luma):
        reasons.append(describe_earlier_grid(earlier))
    if double_quantization.is_detected(luma, table=header.tables[0]):
        reasons.append(_describe_earlier_quantization(luma, table=header.tables[0]))
    return History(not reasons, tuple(reasons))


def _describe_earlier_quantization(luma: np.ndarray, *, table: np.ndarray) -> str:
    """Describes, for the user, a quantization before that by `table`."""
    quality = double_quantization.detect_earlier_quality(luma, table=table)
    at_quality = "" if quality is None else f" at quality {quality}"
    return f"its coefficients show an earlier, coarser quantization{at_quality}"


def describe_earlier_grid(grid: tuple[int, int]) -> str:
    """Describes, for the user, an earlier grid at (row, column)."""
    return f"another 8×8 grid was detected at row {grid[0]}, column {grid[1]}"
