"""Image quality metrics on (B, H, W, C) images in [0, 1]; one float32 value per image."""

import enum

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


class Rounding(enum.Enum):
    """How restored values become the 8-bit levels that are scored (`EVALUATION.md`).

    ROUND to the nearest level; TRUNCATE towards zero as the authors' script does.
    """

    ROUND = "round"
    TRUNCATE = "truncate"


def to_levels(image: ArrayLike, *, rounding: Rounding = Rounding.ROUND) -> jax.Array:
    """Levels 0–255 (float32, whole numbers) of an image in [0, 1], clipped."""
    levels = jnp.clip(jnp.asarray(image, jnp.float32) * 255, 0, 255)
    return jnp.round(levels) if rounding is Rounding.ROUND else jnp.floor(levels)


def psnr(
    image: ArrayLike, reference: ArrayLike, *, rounding: Rounding = Rounding.ROUND
) -> jax.Array:
    """Peak signal-to-noise ratio in dB, peak 255, no border crop; inf for equal images. (B,)."""
    difference = to_levels(image, rounding=rounding) - to_levels(reference)
    return 20 * jnp.log10(255.0) - 10 * jnp.log10(jnp.mean(difference**2, axis=(1, 2, 3)))
