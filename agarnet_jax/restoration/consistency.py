"""Consistency with the file: of all images, only those that would be compressed to it.

Quantization with step t leaves of each DCT coefficient an interval of width t. A restoration
outside of it is wrong there for certain, and moving it to the interval's end brings it nearer to
the original (a projection onto a convex set; Zakhor, IEEE TCSVT 1992).
"""

import jax
import jax.numpy as jnp
import numpy as np

from agarnet_jax.dct import block_dct, block_idct
from agarnet_jax.jpeg_tables import BLOCK, FREQUENCIES, ZIGZAG

# How far the encoder's integer arithmetic may move a coefficient, in levels.
_ENCODER = 0.25


def project(restored: np.ndarray, *, degraded: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The image nearest to `restored` that agrees with a single JPEG of known table.

    Blocks that the sides cut, and those where the decoder clipped (a pixel of 0 or 255), are left
    as they are: there pixels do not tell the coefficients.

    Args:
      restored: luma (H, W) in [0, 1], float.
      degraded: the decoded JPEG (H, W), uint8, its grid at the origin.
      table: quantization table (8, 8) in raster order.

    Raises:
      ValueError: other shapes or dtype.
    """
    if restored.shape != degraded.shape or restored.ndim != 2 or degraded.dtype != np.uint8:
        raise ValueError(
            f"Consistency needs gray images of one size, the degraded one uint8; got "
            f"{restored.shape} and {degraded.dtype} {degraded.shape}."
        )
    if np.shape(table) != (BLOCK, BLOCK):
        raise ValueError(f"A quantization table must be (8, 8), got shape {np.shape(table)}.")
    height, width = (side - side % BLOCK for side in degraded.shape)
    result = np.array(restored, np.float32)
    if height and width:
        steps = np.asarray(table, np.float32).ravel()[ZIGZAG].reshape(1, -1, 1, 1, 1)
        whole = np.s_[:height, :width]
        result[whole] = _project(result[whole], degraded[whole], steps)
    return result


@jax.jit
def _project(restored: jax.Array, degraded: jax.Array, steps: jax.Array) -> jax.Array:
    known = block_dct(degraded.astype(jnp.float32)[None, ..., None] - 128)
    bound = _rounding_bound()
    certain = steps > 2 * bound
    centre = jnp.where(certain, steps * jnp.round(known / steps), known)
    reach = steps / 2 + _ENCODER + jnp.where(certain, 0, bound)
    found = block_dct(255 * restored[None, ..., None] - 128)
    projected = (block_idct(jnp.clip(found, centre - reach, centre + reach)) + 128) / 255
    clipped = (degraded == 0) | (degraded == 255)
    rows, columns = (side // BLOCK for side in clipped.shape)
    clipped = clipped.reshape(rows, BLOCK, columns, BLOCK).any(axis=(1, 3))
    free = jnp.repeat(jnp.repeat(clipped, BLOCK, axis=0), BLOCK, axis=1)
    return jnp.where(free, restored, projected[0, ..., 0])


def _rounding_bound() -> jax.Array:
    """How far rounding all pixels of a block may move each coefficient: (1, 64, 1, 1, 1), levels.

    Half a level a pixel, all for the worst: 4 levels of the mean. A step of more than twice that
    is recovered exactly; of a finer one, the interval is as much wider.
    """
    basis = block_idct(jnp.eye(FREQUENCIES).reshape(FREQUENCIES, FREQUENCIES, 1, 1, 1))
    return jnp.abs(basis).sum(axis=(1, 2, 3)).reshape(1, FREQUENCIES, 1, 1, 1) / 2
