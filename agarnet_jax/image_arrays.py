"""Checks of image arrays; under `jax.jit` they run while tracing."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def as_float32(array: ArrayLike, name: str) -> jax.Array:
    """Returns a floating-point array as float32.

    Raises:
      ValueError: an integer array, such as levels 0–255 instead of [0, 1]; the message has `name`.
    """
    array = jnp.asarray(array)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(
            f"{name} is {array.dtype} {array.shape}; it must be floating point. Divide levels "
            "0–255 by 255, or convert an image with `agarnet_jax.metrics.as_batch`."
        )
    return array.astype(jnp.float32)


def as_images(array: ArrayLike, name: str, *, channels: int | None = None) -> jax.Array:
    """Returns floating-point images (B, H, W, C) as float32; C must be `channels` if that is given.

    Raises:
      ValueError: another shape, or as `as_float32`.
    """
    images = as_float32(array, name)
    if images.ndim != 4 or channels not in (None, images.shape[3]):
        raise ValueError(
            f"{name} has shape {images.shape}; it must be (B, H, W, {channels or 'C'}). "
            "Add a batch axis with image[None], or a channel axis with image[..., None]."
        )
    return images
