"""8×8 block DCT and its inverse, as matrix products in float32 at highest precision.

Layout and scale follow `AGARNET.md` §1: orthonormal DCT-II without level shift (the DC
coefficient is 8 × the mean of the block), frequencies on axis 1 in JPEG zigzag order.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from agarnet_jax.dct_basis import basis_1d
from agarnet_jax.jpeg_tables import BLOCK, FREQUENCIES, ZIGZAG


def _basis_2d() -> np.ndarray:
    basis = np.einsum("uy,vx->uvyx", basis_1d(), basis_1d()).reshape(FREQUENCIES, BLOCK, BLOCK)
    return basis[ZIGZAG].astype(np.float32)


# The basis images in zigzag order: (64, 8, 8) float32 with axes (frequency, y, x).
BASIS = _basis_2d()


def block_dct(image: ArrayLike) -> jax.Array:
    """Computes the DCT of every 8×8 block.

    Args:
      image: (B, H, W, 1); H and W are multiples of 8.

    Returns:
      (B, 64, H/8, W/8, 1) float32 coefficients.

    Raises:
      ValueError: `image` has another shape.
    """
    image = jnp.asarray(image, jnp.float32)
    if image.ndim != 4 or image.shape[1] % BLOCK or image.shape[2] % BLOCK or image.shape[3] != 1:
        raise ValueError(
            f"block_dct expects (B, H, W, 1) with H and W multiples of 8, got {image.shape}; "
            "pad the image first (agarnet_jax.restoration does)."
        )
    batch, height, width, _ = image.shape
    blocks = image.reshape(batch, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    coefficients = jnp.einsum("bhywx,fyx->bfhw", blocks, BASIS, precision=jax.lax.Precision.HIGHEST)
    return coefficients[..., None]


def block_idct(coefficients: ArrayLike) -> jax.Array:
    """Inverts `block_dct`: (B, 64, h, w, 1) to (B, 8h, 8w, 1) float32.

    Raises:
      ValueError: `coefficients` has another shape.
    """
    coefficients = jnp.asarray(coefficients, jnp.float32)
    if coefficients.ndim != 5 or (coefficients.shape[1], coefficients.shape[4]) != (FREQUENCIES, 1):
        raise ValueError(f"block_idct expects (B, 64, h, w, 1), got {coefficients.shape}.")
    batch, _, rows, cols, _ = coefficients.shape
    blocks = jnp.einsum(
        "bfhw,fyx->bhywx", coefficients[..., 0], BASIS, precision=jax.lax.Precision.HIGHEST
    )
    return blocks.reshape(batch, rows * BLOCK, cols * BLOCK, 1)
