"""What 8×8 blocks leave in pixels, measured for every phase the grid could have (NumPy only)."""

from collections.abc import Iterator

import numpy as np

from agarnet_jax.dct_basis import basis_1d
from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.restoration.plane import Plane

PHASES = BLOCK * BLOCK
ROUNDED_ZERO = 0.5  # levels; rounding of pixels moves a coefficient by 0.29 (standard deviation)

_BASIS = basis_1d().astype(np.float32)
_STEP_CAP = 4  # levels; higher steps are edges of the picture
_CELL_ROWS = 4  # in a band
_PIXELS_MAX = 2**18  # looked at; more find no more grids


def bands(luma: np.ndarray | Plane) -> Iterator[np.ndarray]:
    """Strips of the picture, evenly spread, in gray levels: (39 or fewer, W) float32.

    They begin on multiples of 8 rows and hold whole cells of 8×8 neighbouring blocks, that is, 7
    rows more than the cells themselves. Pictures too small for a cell have none.

    Args:
      luma: (H, W), uint8, or floating point in [0, 1].

    Raises:
      ValueError: another shape or dtype.
    """
    corner = luma[:1, :1]
    if len(luma.shape) != 2 or (corner.dtype != np.uint8 and corner.dtype.kind != "f"):
        raise ValueError(
            f"A grid is looked for in luma (H, W), uint8 or floating point in [0, 1]; got "
            f"{corner.dtype} {luma.shape}."
        )
    height, width = luma.shape
    rows = (height - BLOCK + 1) // BLOCK  # of cells
    if rows < 1 or width < 2 * BLOCK - 1:
        return
    count = -(-rows // _CELL_ROWS)
    wanted = min(count, max(1, _PIXELS_MAX // (_CELL_ROWS * BLOCK * width)))
    for band in np.unique(np.linspace(0, count - 1, wanted).round().astype(int)):
        first = band * _CELL_ROWS
        last = min(rows, first + _CELL_ROWS)
        strip = luma[first * BLOCK : (last + 1) * BLOCK - 1, :]
        levels = strip.astype(np.float32)
        yield levels if strip.dtype == np.uint8 else 255 * levels


def zero_counts(band: np.ndarray, *, zero: float = ROUNDED_ZERO) -> np.ndarray:
    """How many of the 63 AC coefficients are below `zero` levels, in blocks of every phase.

    Returns:
      (cells, 64) float32: of each cell of 8×8 neighbouring blocks, the one that begins at row
      r and column c, modulo 8, at 8·r + c.
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


def column_steps(band: np.ndarray) -> np.ndarray:
    """How much a step between neighbours in a row exceeds those before and after it.

    Returns:
      (cells, 8) float32 in −1 to 1: means over cells, of steps into a column of 0–7 modulo 8; 1
      stands for 4 levels or more.
    """
    steps = np.abs(np.diff(band, axis=1))
    excess = steps[:, 1:-1] - np.maximum(steps[:, :-2], steps[:, 2:])  # the first is into column 2
    capped = np.clip(excess / _STEP_CAP, -1, 1)
    rows, columns = (side // BLOCK for side in capped.shape)
    cells = capped[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return np.roll(cells.mean(axis=1).reshape(-1, BLOCK), 2, axis=1)
