"""Self-ensemble: the mean over eight ways to hold an image, at eight times the work.

As in EDSR (Lim et al., CVPRW 2017, "geometric self-ensemble"), made right for JPEG: the 8×8 grid
stays at the origin of every turned image, and tables turn with it.
"""

import itertools

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.restoration.restorer import Orientation, QualitySource, Restored, Restorer

# Quarter turns, and whether mirrored before.
_WAYS = tuple(itertools.product(range(4), (False, True)))


def restore_ensemble(
    image: np.ndarray,
    *,
    restorer: Restorer,
    quality: float | np.ndarray | QualitySource | None = None,
    table: np.ndarray | None = None,
) -> Restored[np.ndarray]:
    """`Restorer.restore` of an array, the mean over its four rotations, each mirrored or not.

    Arguments, result and errors are those of `Restorer.restore`; quality is estimated once, on the
    image as it is given.
    """
    if image.dtype.kind == "u":
        peak = np.iinfo(image.dtype).max
        restored = restore_ensemble(
            image.astype(np.float32) / peak, restorer=restorer, quality=quality, table=table
        )
        levels = np.rint(restored.image * peak).astype(image.dtype)
        return Restored(levels, restored.quality_map)
    if quality is None or isinstance(quality, QualitySource):
        source = quality or QualitySource.IMAGE
        quality = restorer.estimate(image, sources=[source])[source]
    height, width = image.shape[:2]
    whole, assumed = _to_whole_blocks(image), np.asarray(quality, np.float32)
    if assumed.ndim:
        assumed = _to_whole_blocks(assumed)
    total = np.zeros(whole.shape, np.float64)
    for turns, mirrored in _WAYS:
        swapped = turns % 2 == 1
        result = restorer.restore(
            _turned(whole, turns, mirrored),
            quality=_turned(assumed, turns, mirrored) if assumed.ndim else assumed,
            table=table.T if table is not None and swapped else table,
            orientation=Orientation.TRANSPOSED if swapped else Orientation.UPRIGHT,
        )
        total += _turned_back(result.image, turns, mirrored)
    mean = (total / len(_WAYS)).astype(image.dtype)[:height, :width]
    return Restored(mean, np.broadcast_to(assumed, whole.shape[:2])[:height, :width])


def _turned(image: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    return np.rot90(image[:, ::-1] if mirrored else image, turns)


def _turned_back(image: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    image = np.rot90(image, -turns)
    return image[:, ::-1] if mirrored else image


def _to_whole_blocks(image: np.ndarray) -> np.ndarray:
    """Continued as the restorer would, below and at the right, before any side comes to the top."""
    missing = [(0, -side % BLOCK) for side in image.shape[:2]]
    return np.pad(image, [*missing, *[(0, 0)] * (image.ndim - 2)], mode="edge")
