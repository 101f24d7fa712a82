"""Self-ensemble: the mean over the eight symmetries of a square, at eight times the work.

As in EDSR (Lim et al., CVPRW 2017, "geometric self-ensemble"), adapted to JPEG: tiles are whole
blocks, so the 8×8 grid stays at the origin of every transformed tile, and tables are transposed
with the blocks.
"""

import itertools

import numpy as np

from agarnet_jax.jpeg_tables import transposed_network_table
from agarnet_jax.restoration.tiling import TileFunction

# (quarter turns, whether mirrored before)
_SYMMETRIES = tuple(itertools.product(range(4), (False, True)))


def ensembled(change: TileFunction) -> TileFunction:
    """Returns the mean of `network.Networks.change` over four rotations, each mirrored or not.

    The result takes and returns the same arrays; sides of planes must be multiples of 8.
    """

    def mean_change(planes: np.ndarray, quality: np.ndarray, tables: np.ndarray) -> np.ndarray:
        total = np.zeros(planes.shape, np.float32)
        for turns, mirrored in _SYMMETRIES:
            transformed_change = change(
                _transform(planes, turns, mirrored),
                _transform(quality, turns, mirrored),
                transposed_network_table(tables) if turns % 2 else tables,
            )
            total += _transform_back(transformed_change, turns, mirrored)
        return total / len(_SYMMETRIES)

    return mean_change


def _transform(planes: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    """Mirrors and rotates (B, H, W, 1)."""
    return np.rot90(planes[:, :, ::-1] if mirrored else planes, turns, axes=(1, 2))


def _transform_back(planes: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    planes = np.rot90(planes, -turns, axes=(1, 2))
    return planes[:, :, ::-1] if mirrored else planes
