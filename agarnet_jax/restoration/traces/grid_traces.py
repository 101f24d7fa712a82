"""Traces of 8×8 blocks in pixels, measured for each of the 64 possible grid phases (NumPy)."""

from collections.abc import Iterator

import numpy as np

from agarnet_jax.dct_basis import basis_1d
from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.restoration.pixels import PlaneReader, to_levels

PHASES = BLOCK * BLOCK
_ROUNDED_ZERO = 0.5  # levels; rounding of pixels moves a coefficient by 0.29 (standard deviation)

_BASIS = basis_1d().astype(np.float32)
_MAX_DISCONTINUITY = 4  # levels; larger ones are edges in the image
_CELL_ROWS = 4  # per band
_MAX_PIXELS = 2**18  # examined; more pixels do not reveal more grids


def bands(luma: PlaneReader) -> Iterator[np.ndarray]:
    """Yields evenly spread horizontal strips of the image in levels, (39 or fewer, W) float32.

    Each begins at a multiple of 8 rows and holds whole cells of 8×8 neighbouring blocks, hence 7
    more rows than the cells. Images smaller than a cell have no bands.

    Args:
      luma: (H, W), uint8, or floating point in [0, 1].

    Raises:
      ValueError: wrong shape or dtype.
    """
    corner = luma[:1, :1]
    if len(luma.shape) != 2 or (corner.dtype != np.uint8 and corner.dtype.kind != "f"):
        raise ValueError(
            "Grid detection needs luma (H, W), uint8 or floating point in [0, 1]; got "
            f"{corner.dtype} {luma.shape}."
        )
    height, width = luma.shape
    rows = (height - BLOCK + 1) // BLOCK  # of cells
    if rows < 1 or width < 2 * BLOCK - 1:
        return
    count = -(-rows // _CELL_ROWS)
    examined = min(count, max(1, _MAX_PIXELS // (_CELL_ROWS * BLOCK * width)))
    for band in np.unique(np.linspace(0, count - 1, examined).round().astype(int)):
        first = band * _CELL_ROWS
        last = min(rows, first + _CELL_ROWS)
        yield to_levels(luma[first * BLOCK : (last + 1) * BLOCK - 1, :])


def zero_counts(band: np.ndarray, *, zero: float = _ROUNDED_ZERO) -> np.ndarray:
    """Counts the AC coefficients, of 63, with magnitude below `zero` levels for every grid phase.

    Returns:
      (cells, 64) float32. In each cell of 8×8 neighbouring blocks, entry 8·r + c is the count of
      the block that begins at row r and column c, modulo 8.
    """
    rows, columns = (side // BLOCK for side in np.subtract(band.shape, BLOCK - 1))
    width = columns * BLOCK
    shifted = np.stack([band[:, start : start + width] for start in range(BLOCK)])
    across = np.tensordot(_BASIS, shifted, axes=1)  # (8 frequencies, rows of pixels, width)
    counts = np.empty((rows, BLOCK, width), np.uint8)
    for row in range(BLOCK):
        blocks = across[:, row : row + rows * BLOCK].reshape(BLOCK, rows, BLOCK, width)
        zeros = np.abs(_BASIS @ blocks) < zero
        zeros[0, :, 0] = False
        counts[:, row] = zeros.view(np.uint8).sum(axis=2, dtype=np.uint8).sum(0, dtype=np.uint8)
    cells = counts.reshape(rows, BLOCK, columns, BLOCK).transpose(0, 2, 1, 3)
    return cells.reshape(-1, PHASES).astype(np.float32)


def column_discontinuities(band: np.ndarray) -> np.ndarray:
    """Measures how far the difference of horizontal neighbours exceeds those before and after it.

    Returns:
      (cells, 8) float32 in −1 to 1: cell means, by the column (modulo 8) of the right neighbour; 1
      stands for 4 levels or more.
    """
    differences = np.abs(np.diff(band, axis=1))
    excess = differences[:, 1:-1] - np.maximum(differences[:, :-2], differences[:, 2:])
    capped = np.clip(excess / _MAX_DISCONTINUITY, -1, 1)
    rows, columns = (side // BLOCK for side in capped.shape)
    cells = capped[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    means = cells.mean(axis=1).reshape(-1, BLOCK)
    return np.roll(means, 2, axis=1)  # the first right neighbour is in column 2
