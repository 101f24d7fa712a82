"""Pictures of held-out samples for TensorBoard: what came in, what came out, what was wanted."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from agarnet_jax.sharding import batch_sharding, replicated_sharding
from agarnet_jax.training.step import unit_range
from agarnet_jax.training.tasks import Batch, Task

PictureStep = Callable[[Any, Batch], dict[str, jax.Array]]


def make_picture_step(task: Task, mesh: Mesh) -> PictureStep:
    """Compiles (params, batch) → the task's pictures of the batch, on every device."""

    def picture_step(params: Any, batch: Batch) -> dict[str, jax.Array]:
        batch = unit_range(batch)
        return task.pictures(task.apply(params, batch), batch)

    return jax.jit(
        picture_step,
        in_shardings=(None, batch_sharding(mesh)),
        out_shardings=replicated_sharding(mesh),
    )


def sheet(pictures: Mapping[str, jax.Array], count: int) -> np.ndarray:
    """Lays out the first `count` samples below each other, each one's pictures side by side.

    Pictures are (B, h, w, 1) in [0, 1]; those smaller than the first, such as maps of cells, are
    enlarged to it. The sheet is (H, W) in [0, 1].
    """
    arrays = [np.asarray(picture)[:count, :, :, 0] for picture in pictures.values()]
    height, width = arrays[0].shape[1:]
    columns = [_enlarged(_enlarged(array, 1, height), 2, width) for array in arrays]
    return np.concatenate(np.concatenate(columns, axis=2), axis=0)


def _enlarged(array: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Enlarges one axis, each new element being the nearest old one."""
    return np.take(array, np.arange(size) * array.shape[axis] // size, axis=axis)
