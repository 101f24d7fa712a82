"""The DCT of a plane's 8×8 blocks and its inverse in NumPy, for strips, without JAX compilation.

Scale and frequencies are those of `agarnet_jax.dct`; the order is raster.
"""

import numpy as np

from agarnet_jax.dct_basis import basis_1d
from agarnet_jax.jpeg_tables import BLOCK

LEVEL_SHIFT = 128  # levels, subtracted by JPEG before its DCT

_BASIS = basis_1d().astype(np.float32)
_IS_HIGH = np.add.outer(range(BLOCK), range(BLOCK)) >= BLOCK  # beyond the longest diagonal


def blocks(plane: np.ndarray) -> np.ndarray:
    """Cuts (8 rows, 8 columns) into (rows, columns, 8, 8)."""
    rows, columns = (side // BLOCK for side in plane.shape)
    return plane.reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2)


def forward(plane: np.ndarray) -> np.ndarray:
    """Transforms (8 rows, 8 columns) to (rows, columns, 8, 8) float32.

    The last two axes are vertical and horizontal frequency.
    """
    return forward_blocks(blocks(plane))


def inverse(coefficients: np.ndarray) -> np.ndarray:
    """The inverse of `forward`."""
    rows, columns = coefficients.shape[:2]
    return inverse_blocks(coefficients).swapaxes(1, 2).reshape(rows * BLOCK, columns * BLOCK)


def forward_blocks(pixels: np.ndarray) -> np.ndarray:
    """Transforms blocks (…, 8, 8) of pixels to (…, 8, 8) float32."""
    return _BASIS @ pixels.astype(np.float32) @ _BASIS.T


def inverse_blocks(coefficients: np.ndarray) -> np.ndarray:
    """The inverse of `forward_blocks`."""
    return _BASIS.T @ coefficients @ _BASIS


def high_frequency_energy(coefficients: np.ndarray) -> np.ndarray:
    """Returns the mean square of the high frequencies of (…, 8, 8), (…)."""
    return np.square(coefficients[..., _IS_HIGH]).mean(axis=-1)


def largest_change(pixel: float) -> np.ndarray:
    """Returns (8, 8): how far each coefficient can move if no pixel moves by more than `pixel`."""
    absolute_sums = np.abs(_BASIS).sum(axis=1)
    return pixel * np.outer(absolute_sums, absolute_sums)
