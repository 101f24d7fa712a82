"""The basis of the block DCT (NumPy only), for `dct` and for code that does not load JAX."""

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK


def basis_1d() -> np.ndarray:
    """Returns the orthonormal DCT-II basis, (8, 8) float64; row u is the vector of frequency u."""
    position = np.arange(BLOCK)
    frequency = position[:, None]
    basis = np.cos((2 * position + 1) * frequency * np.pi / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    basis[0] /= np.sqrt(2)
    return basis
