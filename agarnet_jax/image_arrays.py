"""What is asked of arrays that hold images; under `jax.jit` it is checked while tracing."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def as_float32(array: ArrayLike, name: str) -> jax.Array:
    """Returns a floating-point array as float32.

    Raises:
      ValueError: it is of integers, such as levels 0–255 in place of [0, 1]; says `name`.
    """
    array = jnp.asarray(array)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(
            f"{name} is {array.dtype} {array.shape}; it must be floating point. Divide levels "
            "0–255 by 255, or take `agarnet_jax.metrics.as_batch` for an image."
        )
    return array.astype(jnp.float32)


def as_images(array: ArrayLike, name: str, *, channels: int | None = None) -> jax.Array:
    """Returns floating-point images (B, H, W, C) as float32; C is `channels` where that is given.

    Raises:
      ValueError: another shape, or as of `as_float32`.
    """
    images = as_float32(array, name)
    if images.ndim != 4 or channels not in (None, images.shape[3]):
        raise ValueError(
            f"{name} has shape {images.shape}; it must be (B, H, W, {channels or 'C'}). "
            "Give a single image a batch axis by image[None], a gray one channels by [..., None]."
        )
    return images
