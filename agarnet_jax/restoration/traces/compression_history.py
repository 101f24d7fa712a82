"""Decides whether a JPEG file was compressed once, with its own table, or holds an earlier JPEG.

Consistency with the file (`consistency.project`) is right for single compression only. Classifying
a single compression as double loses a little, the opposite error does harm; so any trace of an
earlier compression counts. An earlier compression of higher quality leaves no trace: its errors are
mostly smaller than the quantization intervals of the last one.
"""

import dataclasses

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, effective_quality, quality_table
from agarnet_jax.restoration import block_transform
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader
from agarnet_jax.restoration.pixels import PlaneReader, to_levels
from agarnet_jax.restoration.traces import double_quantization, quantization_steps, table_fit
from agarnet_jax.restoration.traces.earlier_grid import find_earlier_grid

# How far below the header's quality the estimate must lie to count. Depends on the shipped
# estimator: measure it again with `python -m benchmarks.history` when that changes.
ESTIMATE_BELOW_HEADER = 15.0

# Component codings that `assess` may classify as single, and for which `is_spurious_estimate` was
# measured.
ASSESSED_CODINGS = (Coding.GRAY, Coding.YCBCR)

# Of `double_quantization.evidence`; photographs compressed once reach 0.006.
_MIN_EVIDENCE = 0.012
_FAR_RATIO = 1.5  # of steps, an estimate's to the header's
# For `_looks_like_graphics`; coefficients in levels.
_SHARP = 14.0  # root mean square of high frequencies; text, pixel art and noise have 15 to 75
_ROUNDING = 0.6  # AC coefficients of a flat block stay below, despite rounding
_MAX_DETAILED_FRACTION = 0.01  # of blocks, in an image of flat areas


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
    if _is_double_quantized(luma, header.tables[0]):
        reasons.append(_describe_earlier_quantization(luma, table=header.tables[0]))
    return History(not reasons, tuple(reasons))


def is_spurious_estimate(luma: PlaneReader, *, table: np.ndarray, estimated_quality: float) -> bool:
    """Whether an estimate far below a file's table is without any trace in the pixels.

    The network treats text, pixel art and noise as coarsely compressed. A photograph that was in
    fact compressed coarsely has traces of it: an earlier grid, double quantization or, if it is too
    small for a grid to be detected, weak high frequencies. In text, an earlier grid may be detected
    by chance, so the steps of the earlier compression must be detected on that grid, too.

    Args:
      luma: (H, W), uint8 or in [0, 1]; the grid begins at its top left corner.
      table: (8, 8) in raster order, that of the file's luma.
      estimated_quality: 1–100.
    """
    if quality_table(round(estimated_quality)).mean() < _FAR_RATIO * np.mean(table):
        return False  # using it wrongly would do little harm
    if _is_double_quantized(luma, table):
        return False
    if not _looks_like_graphics(_crop_middle(luma, (0, 0))):
        return False
    earlier = find_earlier_grid(luma)
    if earlier is None:
        return True
    steps = quantization_steps.detect_steps(_crop_middle(luma, earlier))
    quality = table_fit.quality(steps)  # tolerates steps blurred by the last compression
    return quality is None or quality > effective_quality(table) - ESTIMATE_BELOW_HEADER / 2


def _crop_middle(luma: PlaneReader, grid: tuple[int, int], *, limit: int = 1024) -> np.ndarray:
    """Returns the middle, at most `limit` pixels a side, aligned to the grid's blocks."""
    starts = (g + max(0, side - limit) // 2 // BLOCK * BLOCK for g, side in zip(grid, luma.shape))
    top, left = starts
    return luma[top : top + limit, left : left + limit]


def _looks_like_graphics(luma: np.ndarray) -> bool:
    """Whether blocks are flat, or have stronger high frequencies than a coarse JPEG leaves."""
    height, width = (side - side % BLOCK for side in luma.shape)
    blocks = block_transform.forward(to_levels(luma[:height, :width]))
    blocks = blocks.reshape(-1, BLOCK, BLOCK)
    magnitudes = np.abs(blocks.reshape(-1, BLOCK * BLOCK)[:, 1:])
    detailed = blocks[(magnitudes >= _ROUNDING).any(axis=1)]
    if len(detailed) <= _MAX_DETAILED_FRACTION * len(blocks):
        return True
    return bool(block_transform.high_frequency_energy(detailed).mean() >= _SHARP**2)


def _is_double_quantized(luma: PlaneReader, table: np.ndarray) -> bool:
    return double_quantization.evidence(luma, table=table) > _MIN_EVIDENCE


def _describe_earlier_quantization(luma: np.ndarray, *, table: np.ndarray) -> str:
    """Describes, for the user, a quantization before that by `table`."""
    quality = double_quantization.detect_earlier_quality(luma, table=table)
    at_quality = "" if quality is None else f" at quality {quality}"
    return f"its coefficients show an earlier, coarser quantization{at_quality}"


def describe_earlier_grid(grid: tuple[int, int]) -> str:
    """Describes, for the user, an earlier grid at (row, column)."""
    return f"another 8×8 grid was detected at row {grid[0]}, column {grid[1]}"
