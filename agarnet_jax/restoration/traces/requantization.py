"""Requantization errors ("JPEG ghosts"): which quantization table 8×8 blocks agree with.

Quantizing a decoded JPEG again with its own table changes little more than rounding did; with any
other table, and in blocks that were never compressed, coefficients move by up to half a step
(Farid, "Exposing Digital Forgeries from JPEG Ghosts", IEEE TIFS 2009). Errors are measured in
pixels, after clipping, so that blocks with black or white pixels count, too, although their
coefficients are not near multiples of the steps.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, MIN_QUALITY, quality_table
from agarnet_jax.restoration import block_transform
from agarnet_jax.restoration.block_transform import LEVEL_SHIFT
from agarnet_jax.restoration.pixels import PlaneReader
from agarnet_jax.restoration.traces.block_sample import sample_blocks

# Errors are relative to the expected ones. A block agrees with a table below the limit: with its
# own table, its error is mostly below 0.1, in text on white below 0.3; with none, mostly near 1,
# in text on white above 0.5. Beyond the cap, one error is as bad as another.
_AGREES, _CAP = 0.3, 0.5
_MIN_COEFFICIENT = 4.0  # levels, the largest AC coefficient of a block with detail
_FINEST = 98  # rounding hides the steps of higher qualities
# A whole image: how many blocks are examined, how many must agree, and with how much of the total
# expected error, which rounding hides if it is small (levels²).
_MAX_BLOCKS, _MIN_AGREEING, _MIN_FRACTION, _MIN_TOTAL = 400, 12, 0.5, 1.0
# A part of an image: the limit below which a block clearly agrees, the expected error in levels² it
# takes to tell, how many such blocks there must be, and their fraction of all blocks and of those
# that agree. After compression with another table, few of the blocks that agree do so clearly.
_CLEARLY_AGREES, _MIN_EXPECTED = 0.15, 1.5
_MIN_CLEAR, _MIN_CLEAR_FRACTION, _MIN_CLEAR_OF_AGREEING = 20, 0.03, 0.85


def errors(
    blocks: np.ndarray, coefficients: np.ndarray, table: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns by how much quantizing blocks again changes them.

    Args:
      blocks: (…, 8, 8), 0–255, float32.
      coefficients: (…, 8, 8), the DCT of the blocks after the level shift.
      table: quantization table (8, 8) in raster order.

    Returns:
      (…) float32, the mean squared error of each block in levels², and the one to expect if it was
      not quantized with this table before. Blocks that keep no AC coefficient, and so tell nothing
      about the table, have an expected error of 0.
    """
    steps = np.asarray(table, np.float32)
    multiples = np.rint(coefficients / steps)
    decoded = np.rint(block_transform.inverse_blocks(multiples * steps) + LEVEL_SHIFT)
    found = np.square(np.clip(decoded, 0, 255) - blocks).mean(axis=(-2, -1))
    expected = np.where(multiples != 0, steps**2 / 12, coefficients**2).mean(axis=(-2, -1))
    kept = np.count_nonzero(multiples, axis=(-2, -1)) - (multiples[..., 0, 0] != 0)
    return found, np.where(kept > 0, expected, 0)


def find_table(plane: PlaneReader, *, table: np.ndarray | None = None) -> np.ndarray | None:
    """Finds the table of a plane's last compression, (8, 8) in raster order; None if none agrees.

    Candidates are the IJG tables up to quality 98, and `table`. They need not agree with the whole
    plane: a photograph that was pasted into a page is enough. Images that were rotated by 90° after
    decoding agree with a transposed IJG table.

    Args:
      plane: luma (H, W), uint8 or in [0, 1]; the 8×8 grid begins at its top left corner.
      table: another candidate, such as that of the file's header.
    """
    blocks = distinct_blocks(plane)
    upright = [*_ijg_tables(), *([] if table is None else [table])]
    transposed = [candidate.T for candidate in _ijg_tables()]
    some = blocks[:: max(1, -(-len(blocks) // _MAX_BLOCKS))]
    for candidates, examined, score in (
        (upright, some, _score_of_whole),
        (transposed, some, _score_of_whole),
        (upright, blocks, _score_of_part),
    ):
        best = _best_table(candidates, examined, score)
        if best is not None:
            return best
    return None


def distinct_blocks(plane: PlaneReader) -> np.ndarray:
    """Samples the blocks with detail, each pattern at one brightness only.

    The many equal blocks of a gradient or of tiles may agree with some table by chance.

    Args:
      plane: as for `find_table`.

    Returns:
      (blocks, 8, 8) float32 in whole levels, as the decoder had them.
    """
    blocks = np.rint(sample_blocks(plane))
    coefficients = block_transform.forward_blocks(blocks).reshape(-1, BLOCK * BLOCK)
    blocks = blocks[np.abs(coefficients[:, 1:]).max(axis=1) >= _MIN_COEFFICIENT]
    patterns = (blocks - blocks[:, :1, :1]).astype(np.int16).reshape(-1, BLOCK * BLOCK)
    _, first = np.unique(patterns, axis=0, return_index=True)
    return blocks[np.sort(first)]


def _best_table(
    candidates: Sequence[np.ndarray],
    blocks: np.ndarray,
    score: Callable[[np.ndarray, np.ndarray], float],
) -> np.ndarray | None:
    """Returns the candidate with the lowest score, None if all scores are infinite.

    Of equal ones, as small images have, it is the one in the middle.
    """
    coefficients = block_transform.forward_blocks(blocks - LEVEL_SHIFT)
    scores = np.array([score(*errors(blocks, coefficients, table)) for table in candidates])
    best = np.flatnonzero(scores == scores.min())
    return candidates[best[len(best) // 2]] if scores.min() < np.inf else None


def _score_of_whole(found: np.ndarray, expected: np.ndarray) -> float:
    """Returns the mean relative error; infinite if most blocks do not agree."""
    found, expected = found[expected > 0], expected[expected > 0]
    agree = found < _AGREES * expected
    enough = expected[agree].sum() >= _MIN_FRACTION * max(expected.sum(), _MIN_TOTAL)
    if agree.sum() < _MIN_AGREEING or not enough:
        return np.inf
    return float(np.minimum(found / expected, _CAP).mean())


def _score_of_part(found: np.ndarray, expected: np.ndarray) -> float:
    """Returns the mean relative error; infinite unless a part of the blocks clearly agrees."""
    is_telling = expected >= _MIN_EXPECTED
    relative = found[is_telling] / expected[is_telling]
    clear, agreeing = (relative < _CLEARLY_AGREES).sum(), (relative < _AGREES).sum()
    enough = clear >= max(_MIN_CLEAR, _MIN_CLEAR_FRACTION * len(relative))
    if not enough or clear < _MIN_CLEAR_OF_AGREEING * agreeing:
        return np.inf
    return float(np.minimum(relative, _CAP).mean())


@functools.cache
def _ijg_tables() -> tuple[np.ndarray, ...]:
    tables = tuple(quality_table(q) for q in range(MIN_QUALITY, _FINEST + 1))
    for table in tables:
        table.flags.writeable = False  # shared by the cache
    return tables
