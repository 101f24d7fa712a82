"""Self-ensemble: the mean over eight ways to hold an image, at eight times the work.

As in EDSR (Lim et al., CVPRW 2017, "geometric self-ensemble"), made right for JPEG: tiles are whole
blocks, so that the 8×8 grid stays at the origin of every turned tile, and tables turn with it.
"""

import itertools

import numpy as np

from agarnet_jax.jpeg_tables import transposed_network_table
from agarnet_jax.restoration.tiling import TileFunction

# Quarter turns, and whether mirrored before.
_WAYS = tuple(itertools.product(range(4), (False, True)))


def ensembled(change: TileFunction) -> TileFunction:
    """`network.Networks.change` as the mean over four rotations, each mirrored or not.

    For planes whose sides are whole blocks; arguments and result as before.
    """

    def mean_change(planes: np.ndarray, quality: np.ndarray, tables: np.ndarray) -> np.ndarray:
        total = np.zeros(planes.shape, np.float32)
        for turns, mirrored in _WAYS:
            changed = change(
                _turned(planes, turns, mirrored),
                _turned(quality, turns, mirrored),
                transposed_network_table(tables) if turns % 2 else tables,
            )
            total += _turned_back(changed, turns, mirrored)
        return total / len(_WAYS)

    return mean_change


def _turned(planes: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    """(B, H, W, 1)."""
    return np.rot90(planes[:, :, ::-1] if mirrored else planes, turns, axes=(1, 2))


def _turned_back(planes: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    planes = np.rot90(planes, -turns, axes=(1, 2))
    return planes[:, :, ::-1] if mirrored else planes
