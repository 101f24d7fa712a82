"""Images of held-out samples for TensorBoard: input, output and target side by side."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from agarnet_jax.sharding import batch_sharding, replicated_sharding
from agarnet_jax.training.step import to_unit_range
from agarnet_jax.training.tasks import Batch, Task

ImageStep = Callable[[Any, Batch], dict[str, jax.Array]]


def make_image_step(task: Task, mesh: Mesh) -> ImageStep:
    """Compiles (params, batch) → the task's images of the batch, replicated."""

    def image_step(params: Any, batch: Batch) -> dict[str, jax.Array]:
        batch = to_unit_range(batch)
        return task.images(task.apply(params, batch), batch)

    return jax.jit(
        image_step,
        in_shardings=(None, batch_sharding(mesh)),
        out_shardings=replicated_sharding(mesh),
    )


def sheet(images: Mapping[str, jax.Array], count: int) -> np.ndarray:
    """Arranges the images of the first `count` samples: a row per sample, a column per name.

    Images are (B, h, w, 1) in [0, 1]; those smaller than the first, such as maps of cells, are
    enlarged to its size. The sheet is (H, W) in [0, 1].
    """
    arrays = [np.asarray(image)[:count, :, :, 0] for image in images.values()]
    height, width = arrays[0].shape[1:]
    columns = [_enlarge(_enlarge(array, 1, height), 2, width) for array in arrays]
    return np.concatenate(np.concatenate(columns, axis=2), axis=0)


def _enlarge(array: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Enlarges an array along one axis by nearest-neighbour interpolation."""
    return np.take(array, np.arange(size) * array.shape[axis] // size, axis=axis)
