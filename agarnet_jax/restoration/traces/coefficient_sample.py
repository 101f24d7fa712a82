"""Coefficients of low frequency of a plane, as many as tell how it was compressed (NumPy)."""

import functools

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, MAX_QUALITY, MIN_QUALITY, ZIGZAG, quality_table
from agarnet_jax.restoration import block_transform
from agarnet_jax.restoration.pixels import PlaneReader

LOW_FREQUENCIES = ZIGZAG[1:21]  # the lowest but the mean, raster index; others are mostly zero
_PIXELS_MAX = 2**17  # looked at
_PIECE = 512  # pixels side by side


def low_frequencies(plane: PlaneReader) -> np.ndarray:
    """Returns (20, blocks) in levels, of pieces of rows of blocks spread evenly over the plane.

    Args:
      plane: (H, W), uint8 or in [0, 1]; the 8×8 grid begins at its corner.
    """
    return sample(plane)[0]


def sample(plane: PlaneReader) -> tuple[np.ndarray, np.ndarray]:
    """Does what `low_frequencies` does; also (blocks,) which may have been clipped by the decoder.

    Those are blocks with black or white pixels. Their coefficients need be near no multiple.
    """
    height, width = (side - side % BLOCK for side in plane.shape)
    found, ends = [np.empty((0, BLOCK * BLOCK), np.float32)], [np.empty((0, BLOCK, BLOCK), bool)]
    starts = range(0, width, _PIECE)
    count = height // BLOCK * len(starts)
    wanted = min(count, _PIXELS_MAX // (BLOCK * min(width, _PIECE))) if count else 0
    for number in range(wanted):
        row, column = divmod(number * (count - 1) // max(1, wanted - 1), len(starts))
        start = starts[column]
        rows = slice(row * BLOCK, (row + 1) * BLOCK)
        piece = plane[rows, start : min(start + _PIECE, width)]
        piece = piece.astype(np.float32) * (1 if piece.dtype == np.uint8 else 255)
        found.append(block_transform.forward(piece).reshape(-1, BLOCK * BLOCK))
        at_ends = (piece <= 0.5) | (piece >= 254.5)
        ends.append(at_ends.reshape(BLOCK, -1, BLOCK).swapaxes(0, 1))
    clipped = np.any(np.concatenate(ends), axis=(1, 2))
    return np.concatenate(found).T[LOW_FREQUENCIES], clipped


@functools.cache
def steps_by_quality() -> np.ndarray:
    """(100, 20): the steps that the tables of the IJG library have at these frequencies."""
    tables = [quality_table(q).ravel() for q in range(MIN_QUALITY, MAX_QUALITY + 1)]
    steps = np.stack(tables)[:, LOW_FREQUENCIES]
    steps.flags.writeable = False  # the cache's own
    return steps
