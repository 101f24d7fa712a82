"""Image quality metrics on (B, H, W, C) images in [0, 1]; one float32 value per image.

The metrics raise ValueError for images of different shapes, for other than four axes, and for
integers: divide 8-bit images by 255 first, as `as_batch` does.
"""

import enum
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from agarnet_jax.configs import member
from agarnet_jax.image_arrays import as_float32, as_images
from agarnet_jax.jpeg_tables import BLOCK

_PEAK_DB = 20 * math.log10(255)


class Rounding(enum.Enum):
    """How restored images are converted to the 8-bit levels that are compared.

    ROUND: to the nearest level. TRUNCATE: towards zero, as in the authors' script. See
    `docs/evaluation.md`.
    """

    ROUND = "round"
    TRUNCATE = "truncate"


def to_levels(image: ArrayLike, *, rounding: Rounding | str = Rounding.ROUND) -> jax.Array:
    """Converts an image in [0, 1] to integer levels, float32, clipped to 0–255.

    Raises:
      ValueError: unknown rounding, or an integer image.
    """
    rounding = member(Rounding, rounding, "rounding")
    levels = jnp.clip(as_float32(image, "image") * 255, 0, 255)
    return jnp.round(levels) if rounding is Rounding.ROUND else jnp.floor(levels)


def as_batch(levels: np.ndarray) -> np.ndarray:
    """Converts one image of levels 0–255, (H, W[, C]), to (1, H, W, C) float32 in [0, 1].

    Raises:
      ValueError: another number of axes.
    """
    if levels.ndim not in (2, 3):
        raise ValueError(f"as_batch takes one image (H, W) or (H, W, C), got {levels.shape}.")
    return levels.reshape(1, *levels.shape[:2], -1).astype(np.float32) / 255


def _both_to_levels(
    image: ArrayLike, reference: ArrayLike, rounding: Rounding | str
) -> tuple[jax.Array, jax.Array]:
    """Checks an image and its reference as metrics do, and converts both to levels."""
    image, reference = as_images(image, "image"), as_images(reference, "reference")
    if image.shape != reference.shape:
        raise ValueError(
            "Metrics compare images of equal shape (B, H, W, C), got "
            f"{image.shape} and {reference.shape}."
        )
    return to_levels(image, rounding=rounding), to_levels(reference)


def psnr(
    image: ArrayLike, reference: ArrayLike, *, rounding: Rounding | str = Rounding.ROUND
) -> jax.Array:
    """Computes the peak signal-to-noise ratio in dB: (B,), inf for equal images.

    The peak is 255; nothing is cropped from the borders.
    """
    levels, expected = _both_to_levels(image, reference, rounding)
    error = jnp.mean((levels - expected) ** 2, axis=(1, 2, 3))
    return _PEAK_DB - 10 * jnp.log10(error)


def psnr_b(
    image: ArrayLike, reference: ArrayLike, *, rounding: Rounding | str = Rounding.ROUND
) -> jax.Array:
    """Computes PSNR with the blocking effect of the 8×8 grid added to the error, in dB: (B,).

    Yim and Bovik, "Quality assessment of deblocked images", IEEE TIP 2011: if the mean squared
    difference of neighbours is larger across block boundaries than inside blocks, the excess,
    times log2(8) / log2(shorter side), is added to the mean squared error.
    """
    levels, expected = _both_to_levels(image, reference, rounding)
    error = jnp.mean((levels - expected) ** 2, axis=(1, 2, 3))
    across, inside = _squared_differences(levels)
    side = max(2, min(levels.shape[1:3]))  # 1 counts as 2, since log2(1) is 0
    weight = math.log2(BLOCK) / math.log2(side)
    blocking = weight * jnp.maximum(across - inside, 0)
    return _PEAK_DB - 10 * jnp.log10(error + blocking)


def _squared_differences(levels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns neighbours' mean squared differences across block boundaries and inside blocks, (B,).

    Over horizontal and vertical neighbours; 0 if there are none.
    """

    def mean(across: bool) -> jax.Array:
        chosen = []
        for axis in (1, 2):
            position = np.arange(1, levels.shape[axis])
            indices = np.flatnonzero((position % BLOCK == 0) == across)
            differences = jnp.take(jnp.diff(levels, axis=axis), indices, axis=axis)
            chosen.append(differences.reshape(len(levels), -1))
        squares = jnp.concatenate(chosen, axis=1) ** 2
        return squares.sum(axis=1) / max(squares.shape[1], 1)

    return mean(across=True), mean(across=False)


class SsimWindow(enum.Enum):
    """The window of SSIM's local statistics; SSIM with different windows is not comparable.

    UNIFORM: 8×8, equal weights, as in the paper. GAUSSIAN: 11×11, σ = 1.5, as in newer papers.
    """

    UNIFORM = "uniform"
    GAUSSIAN = "gaussian"

    @property
    def weights(self) -> np.ndarray:
        """The weights along one axis; their sum is 1."""
        if self is SsimWindow.UNIFORM:
            return np.full(8, 1 / 8)
        weights = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
        return weights / weights.sum()


def ssim(
    image: ArrayLike,
    reference: ArrayLike,
    *,
    window: SsimWindow | str,
    rounding: Rounding | str = Rounding.ROUND,
) -> jax.Array:
    """Computes structural similarity, the mean over channels and windows inside the image: (B,).

    Wang et al., IEEE TIP 2004, with K1 = 0.01, K2 = 0.03 and population (co)variances. Raises
    ValueError if a side is shorter than the window, 8 or 11 pixels.
    """
    window = member(SsimWindow, window, "window")
    x, y = (levels - 128 for levels in _both_to_levels(image, reference, rounding))
    if min(x.shape[1:3]) < len(window.weights):
        raise ValueError(
            f"image has shape {x.shape}; the SSIM window {window.value!r} needs sides of at least "
            f"{len(window.weights)} pixels."
        )
    # One array, since XLA:CPU would recompute five separate ones for every pixel that reads them.
    products = jnp.concatenate([x, y, x * x, y * y, x * y])
    means = jnp.split(_window_means(products, window.weights), 5)
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = means
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    variance_sum = mean_xx - mean_x**2 + mean_yy - mean_y**2
    covariance = mean_xy - mean_x * mean_y
    mean_x, mean_y = mean_x + 128, mean_y + 128  # centred until here, for precision
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return jnp.mean(luminance * (2 * covariance + c2) / (variance_sum + c2), axis=(1, 2, 3))


def _window_means(values: jax.Array, weights: np.ndarray) -> jax.Array:
    """Computes weighted means over all windows inside (B, H, W, C), by adding shifted images."""
    for axis in (1, 2):
        count = values.shape[axis] - len(weights) + 1
        values = sum(
            weight * jax.lax.slice_in_dim(values, start, start + count, axis=axis)
            for start, weight in enumerate(weights.tolist())
        )
    return values
