"""Samples the blocks of a plane, and their low frequencies, for compression forensics (NumPy)."""

import functools

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, MAX_QUALITY, MIN_QUALITY, ZIGZAG, quality_table
from agarnet_jax.restoration import block_transform
from agarnet_jax.restoration.pixels import PlaneReader, to_levels

LOW_FREQUENCIES = ZIGZAG[1:21]  # raster indices of the first 20 AC frequencies; others are mostly 0
_MAX_PIXELS = 2**17  # sampled
_SEGMENT = 512  # pixels of a row of blocks that are read at once


def sample_blocks(plane: PlaneReader) -> np.ndarray:
    """Samples blocks in segments of block rows, evenly spread over the plane.

    Args:
      plane: (H, W), uint8 or in [0, 1]; the 8×8 grid begins at its top left corner.

    Returns:
      (blocks, 8, 8) float32 in levels.
    """
    height, width = (side - side % BLOCK for side in plane.shape)
    blocks = [np.empty((0, BLOCK, BLOCK), np.float32)]
    starts = range(0, width, _SEGMENT)
    count = height // BLOCK * len(starts)
    sampled = min(count, _MAX_PIXELS // (BLOCK * min(width, _SEGMENT))) if count else 0
    for index in range(sampled):
        row = index * (height // BLOCK) // sampled
        start = starts[index % len(starts)]
        rows = slice(row * BLOCK, (row + 1) * BLOCK)
        segment = to_levels(plane[rows, start : min(start + _SEGMENT, width)])
        blocks.append(segment.reshape(BLOCK, -1, BLOCK).swapaxes(0, 1))
    return np.concatenate(blocks)


def sample_low_frequencies(plane: PlaneReader) -> tuple[np.ndarray, np.ndarray]:
    """Samples coefficients of blocks; the argument is that of `sample_blocks`.

    Returns:
      Coefficients (20, blocks) of `LOW_FREQUENCIES` in levels, and (blocks,) boolean, which blocks
      have black or white pixels. The decoder may have clipped those blocks, so their coefficients
      need not lie near multiples of the quantization step.
    """
    blocks = sample_blocks(plane)
    clipped = np.any((blocks <= 0.5) | (blocks >= 254.5), axis=(1, 2))
    coefficients = block_transform.forward_blocks(blocks).reshape(-1, BLOCK * BLOCK)
    return coefficients.T[LOW_FREQUENCIES], clipped


@functools.cache
def steps_by_quality() -> np.ndarray:
    """Returns (100, 20): the steps of the IJG library's luma tables at `LOW_FREQUENCIES`."""
    tables = [quality_table(q).ravel() for q in range(MIN_QUALITY, MAX_QUALITY + 1)]
    steps = np.stack(tables)[:, LOW_FREQUENCIES]
    steps.flags.writeable = False  # shared by the cache
    return steps
