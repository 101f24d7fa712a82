"""The DCT of the 8×8 blocks of a plane, and back, in NumPy: for pieces, without compilation.

Scale and frequencies are those of `agarnet_jax.dct`, the order is raster.
"""

import numpy as np

from agarnet_jax.dct_basis import basis_1d
from agarnet_jax.jpeg_tables import BLOCK

_BASIS = basis_1d().astype(np.float32)


def forward(plane: np.ndarray) -> np.ndarray:
    """(8 rows, 8 columns) to (rows, columns, 8, 8) float32: vertical, then horizontal frequency."""
    rows, columns = (side // BLOCK for side in plane.shape)
    blocks = plane.astype(np.float32).reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2)
    return _BASIS @ blocks @ _BASIS.T


def inverse(coefficients: np.ndarray) -> np.ndarray:
    """The inverse of `forward`."""
    rows, columns = coefficients.shape[:2]
    blocks = _BASIS.T @ coefficients @ _BASIS
    return blocks.swapaxes(1, 2).reshape(rows * BLOCK, columns * BLOCK)


def largest_change(pixel: float) -> np.ndarray:
    """(8, 8): by how much coefficients may change where every pixel does by at most `pixel`."""
    along = np.abs(_BASIS).sum(axis=1)
    return pixel * np.outer(along, along)
