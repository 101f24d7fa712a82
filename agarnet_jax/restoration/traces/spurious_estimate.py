"""Tells whether a low estimate of the quality is spurious, without a trace in the pixels.

The network treats text, pixel art and noise as coarsely compressed. A photograph that was in fact
compressed coarsely has traces of it: an earlier grid, double quantization or, if it is too small
for a grid to be detected, weak high frequencies.
"""

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, effective_quality, quality_table
from agarnet_jax.restoration import block_transform
from agarnet_jax.restoration.pixels import PlaneReader, to_levels
from agarnet_jax.restoration.traces import double_quantization, quantization_steps, table_fit
from agarnet_jax.restoration.traces.compression_history import ESTIMATE_BELOW_HEADER
from agarnet_jax.restoration.traces.earlier_grid import find_earlier_grid

_FAR_RATIO = 1.5  # of steps, an estimate's to the header's
_MIDDLE = 1024  # pixels of a side that are examined
# For `_looks_like_graphics`; coefficients in levels.
_SHARP = 14.0  # root mean square of high frequencies; text, pixel art and noise have 15 to 75
_ROUNDING = 0.6  # AC coefficients of a flat block stay below, despite rounding
_MAX_DETAILED_FRACTION = 0.01  # of blocks, in an image of flat areas


def is_spurious_estimate(luma: PlaneReader, *, table: np.ndarray, estimated_quality: float) -> bool:
    """Whether an estimate far below the last table is without any trace in the pixels.

    Args:
      luma: (H, W), uint8 or in [0, 1]; the grid begins at its top left corner.
      table: quantization table (8, 8) of the last compression, in raster order.
      estimated_quality: 1–100.
    """
    if quality_table(round(estimated_quality)).mean() < _FAR_RATIO * np.mean(table):
        return False  # using it wrongly would do little harm
    if double_quantization.is_detected(luma, table=table):
        return False
    if not _looks_like_graphics(_crop_middle(luma, (0, 0))):
        return False
    earlier = find_earlier_grid(luma)
    if earlier is None:
        return True
    # In text, one may be detected by chance; then no steps are on that grid.
    steps = quantization_steps.detect_steps(_crop_middle(luma, earlier))
    quality = table_fit.quality(steps)  # tolerates steps blurred by the last compression
    return quality is None or quality > effective_quality(table) - ESTIMATE_BELOW_HEADER / 2


def _crop_middle(luma: PlaneReader, grid: tuple[int, int]) -> np.ndarray:
    """Returns the middle, aligned to the grid's blocks."""
    starts = (g + max(0, side - _MIDDLE) // 2 // BLOCK * BLOCK for g, side in zip(grid, luma.shape))
    top, left = starts
    return luma[top : top + _MIDDLE, left : left + _MIDDLE]


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
