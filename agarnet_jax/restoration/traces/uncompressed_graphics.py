"""Finds rendered text and graphics that were never compressed, next to a decoded JPEG.

A screenshot contains a photograph as it was decoded, and around it text that no JPEG has touched;
restoring that text would only blur it. Its blocks do not agree with the photograph's quantization
table, its edges are sharp, and many of its neighbouring pixels are equal. The last two exclude
other photographs, which may have been compressed with another table or on another grid.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.restoration import block_transform
from agarnet_jax.restoration.block_transform import LEVEL_SHIFT
from agarnet_jax.restoration.pixels import PlaneReader, strips, to_levels
from agarnet_jax.restoration.traces import requantization

# Relative errors (`requantization`) up to which a block certainly agrees with the table, and from
# which it disagrees. In between are many blocks of compressed text, but few of uncompressed text.
_CERTAIN, _DISAGREES = 0.15, 0.45
_MIN_EXPECTED = 1.5  # levels²; smaller errors cannot be told from rounding
# Blocks near one that disagree: how many, and their fraction of those that do not certainly agree.
_MIN_DISAGREEING, _MIN_FRACTION = 3, 0.7
_SHARP = 10.0  # root mean square of high frequencies, in levels; user interfaces have 12 and more
_EQUAL, _MIN_EQUAL = 0.5, 0.25  # levels; fraction of neighbours: photographs up to 0.1, text 0.5
_NEAR, _AROUND = 5, 9  # sides of the neighbourhoods that decide, in blocks


def find(plane: PlaneReader, *, table: np.ndarray) -> np.ndarray:
    """Marks the blocks of uncompressed graphics.

    Args:
      plane: luma (H, W), uint8 or in [0, 1], at least 8×8; the grid begins at its top left corner.
      table: quantization table (8, 8) of the JPEG, in raster order.

    Returns:
      (⌈H / 8⌉, ⌈W / 8⌉) boolean; partial blocks are marked like their neighbours.
    """
    height, width = (side - side % BLOCK for side in plane.shape)
    measured = []
    for rows in strips((height, width), unit=BLOCK):
        levels = block_transform.blocks(to_levels(plane[rows, 0:width]))
        measured.append(_measure(levels, table))
    disagrees, is_uncertain, is_flat, energy, equal = map(np.concatenate, zip(*measured))
    near, uncertain_near = _sums(disagrees, _NEAR), _sums(is_uncertain, _NEAR)
    found = (disagrees | is_uncertain | is_flat) & (near >= _MIN_DISAGREEING)
    found &= near >= _MIN_FRACTION * (near + uncertain_near)
    count = _sums(disagrees, _AROUND)
    found &= _sums(disagrees * energy, _AROUND) >= _SHARP**2 * count
    found &= _sums(disagrees * equal, _AROUND) >= _MIN_EQUAL * count
    partial = [(0, side % BLOCK > 0) for side in plane.shape]
    return np.pad(found, partial, mode="edge")


def covered_fraction(found: np.ndarray | None) -> float:
    """Returns the fraction of blocks that were found, 0–1; None stands for no block."""
    return 0.0 if found is None else float(found.mean())


def describe(fraction: float) -> str:
    """Says, for the user, how much of an image is uncompressed graphics."""
    return f"{math.ceil(100 * fraction)} % of the image is uncompressed text or graphics"


def _measure(levels: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns properties of blocks (rows, columns, 8, 8), each (rows, columns).

    They are whether a block disagrees with the table, whether that is uncertain, whether it has one
    value throughout, its energy of high frequencies, and its fraction of pixels that equal the next
    one.
    """
    coefficients = block_transform.forward_blocks(levels - LEVEL_SHIFT)
    found, expected = requantization.errors(levels, coefficients, table)
    is_telling = expected >= _MIN_EXPECTED
    disagrees = is_telling & (found > _DISAGREES * expected)
    is_uncertain = is_telling & ~disagrees & (found > _CERTAIN * expected)
    is_flat = np.ptp(levels, axis=(2, 3)) < _EQUAL
    energy = block_transform.high_frequency_energy(coefficients)
    equal = (np.abs(np.diff(levels, axis=3)) < _EQUAL).mean(axis=(2, 3))
    return disagrees, is_uncertain, is_flat, energy, equal


def _sums(values: np.ndarray, side: int) -> np.ndarray:
    """Returns sums over a neighbourhood of side × side blocks around each block."""
    padded = np.pad(values.astype(np.float32), side // 2)
    return sliding_window_view(padded, (side, side)).sum(axis=(2, 3))
