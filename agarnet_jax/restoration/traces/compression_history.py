"""Was a JPEG file compressed once, with its own table, or does it hold an older JPEG?

Consistency with the file (`consistency.project`) is right for the first kind only. Taking a single
compression for a double one loses a little; the other way round does harm. So any trace of an
earlier compression counts. An earlier one of higher quality leaves none: its errors are below what
the last one's intervals allow, mostly.
"""

import dataclasses

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, ZIGZAG, effective_quality, quality_table
from agarnet_jax.restoration import block_transform
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader
from agarnet_jax.restoration.traces import double_quantization, quantization_steps, table_law
from agarnet_jax.restoration.traces.earlier_grid import find_earlier_grid

# How far below the header's quality the pixels' estimate must lie. Depends on the estimator that
# is shipped: measure anew with `python -m benchmarks.history` when it changes.
ESTIMATE_BELOW_HEADER = 15.0

# Component codings of which `assess` may say that they are single, and `contradicts` was measured.
ASSESSED = (Coding.GRAY, Coding.YCBCR)

# See `double_quantization.evidence`; photographs compressed once reach 0.006.
_DOUBLE_QUANTIZATION = 0.012
_FAR = 1.5  # times the steps of the header
# What tells drawings from photographs (`_looks_drawn`); coefficients in levels.
_HIGH_FREQUENCIES = ZIGZAG[36:]  # the half beyond the longest diagonal
_SHARP = 14.0  # root mean square of them; text, pixel art and noise have 15 to 75
_ROUNDING = 0.6  # what pixels of a plain block make of it
_FEW_DETAILED = 0.01  # share of blocks


@dataclasses.dataclass(frozen=True)
class History:
    """single: nothing says that the file's compression was not the first. reasons: what does."""

    single: bool
    reasons: tuple[str, ...]


def assess(
    luma: np.ndarray, *, header: JpegHeader | None, estimated_quality: float | None
) -> History:
    """Looks for traces of earlier compressions.

    Args:
      luma: (H, W) uint8, the first component as decoded, not converted to RGB and back.
      header: the file's; None for files other than JPEG, which are never called single.
      estimated_quality: 1–100, what the pixels look like; None: not estimated.

    Raises:
      ValueError: luma is not uint8 of two dimensions.
    """
    if luma.ndim != 2 or luma.dtype != np.uint8:
        raise ValueError(
            f"The first component must be (H, W) uint8, got {luma.dtype} {luma.shape}."
        )
    if header is None:
        return History(False, ("the file is not a JPEG: its tables are unknown",))
    if header.coding not in ASSESSED:
        return History(False, (f"its components are {header.coding}, which was never measured",))
    reasons = []
    stated = effective_quality(header.tables[0])
    if estimated_quality is not None and estimated_quality < stated - ESTIMATE_BELOW_HEADER:
        reasons.append(f"its pixels look like quality {estimated_quality:.0f}, not {stated}")
    if earlier := find_earlier_grid(luma):
        reasons.append(other_grid(earlier))
    if _is_quantized_twice(luma, header.tables[0]):
        reasons.append(_quantized_before(luma, table=header.tables[0]))
    return History(not reasons, tuple(reasons))


def is_far_below(table: np.ndarray, estimated_quality: float) -> bool:
    """Whether the estimate's steps are clearly coarser than those of a file's table (8, 8).

    To believe it wrongly does harm then, and pixels tell (`contradicts`).
    """
    return bool(quality_table(round(estimated_quality)).mean() >= _FAR * np.mean(table))


def contradicts(luma: np.ndarray, *, table: np.ndarray, estimated_quality: float) -> bool:
    """Whether an estimate that is far below a file's table has no trace in the pixels.

    Text, pixel art and noise look badly compressed to the network. Photographs that were show it,
    by an earlier grid or quantization, and by how little is left in high frequencies where they
    are too small to show a grid. In text another grid may seem to show, so the steps of the
    earlier compression have to show on it, too.

    Args:
      luma: as of `assess`.
      table: (8, 8) in raster order, of the file's luma.
      estimated_quality: 1–100.
    """
    if not is_far_below(table, estimated_quality) or _is_quantized_twice(luma, table):
        return False
    if not _looks_drawn(_middle(luma, (0, 0))):
        return False
    earlier = find_earlier_grid(luma)
    if earlier is None:
        return True
    found = quantization_steps.steps(_middle(luma, earlier))
    shown = table_law.quality(found)  # of misread steps, too: the last compression blurred them
    return shown is None or shown > effective_quality(table) - ESTIMATE_BELOW_HEADER / 2


def _middle(luma: np.ndarray, grid: tuple[int, int], *, most: int = 1024) -> np.ndarray:
    """Returns the middle, of at most so many rows and columns, cut where blocks begin."""
    starts = (g + max(0, side - most) // 2 // BLOCK * BLOCK for g, side in zip(grid, luma.shape))
    return luma[tuple(slice(start, start + most) for start in starts)]


def _looks_drawn(luma: np.ndarray) -> bool:
    """Whether blocks are plain, or have more in high frequencies than a coarse JPEG leaves."""
    height, width = (side - side % BLOCK for side in luma.shape)
    blocks = block_transform.forward(luma[:height, :width].astype(np.float32))
    coefficients = blocks.reshape(-1, BLOCK * BLOCK)
    detailed = coefficients[(np.abs(coefficients[:, 1:]) >= _ROUNDING).any(axis=1)]
    if len(detailed) <= _FEW_DETAILED * len(coefficients):
        return True
    return bool(np.sqrt(np.square(detailed[:, _HIGH_FREQUENCIES]).mean()) >= _SHARP)


def _is_quantized_twice(luma: np.ndarray, table: np.ndarray) -> bool:
    return double_quantization.evidence(luma, table=table) > _DOUBLE_QUANTIZATION


def _quantized_before(luma: np.ndarray, *, table: np.ndarray) -> str:
    """The words for coefficients quantized twice, the second time by `table`."""
    quality = double_quantization.earlier_quality(luma, table=table)
    by_quality = "" if quality is None else f", by quality {quality}"
    return f"its coefficients bear the marks of an earlier, coarser quantization{by_quality}"


def other_grid(place: tuple[int, int]) -> str:
    """The words for an earlier grid's (row, column)."""
    return f"another 8×8 grid shows, at row {place[0]}, column {place[1]}"
