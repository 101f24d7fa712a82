"""Scores of a restored image: all metrics of `docs/evaluation.md`."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agarnet_jax import metrics
from agarnet_jax.dct import block_dct
from agarnet_jax.jpeg_tables import BLOCK, FREQUENCIES
from agarnet_jax.metrics import Rounding, SsimWindow

# Decimals of each metric in printed tables.
DECIMALS = {"psnr": 2, "ssim_uniform": 3, "ssim_gaussian": 3, "psnr_b": 2}
METRICS = tuple(DECIMALS)


@dataclasses.dataclass(frozen=True)
class Scores:
    """Scores of one image by one method; None for scores that do not apply.

    psnr, psnr_b: in dB, inf for identical images. ssim_*: by window; None if the image is smaller
      than the window.
    estimate: the estimated quality 1–100, or the mean of an estimated map.
    frequency_error: mean squared error of the 64 DCT coefficients in zigzag order, on levels 0–255;
      gray images only.
    """

    psnr: float | None = None
    ssim_uniform: float | None = None
    ssim_gaussian: float | None = None
    psnr_b: float | None = None
    estimate: float | None = None
    frequency_error: tuple[float, ...] | None = None

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Scores":
        """Inverts `dataclasses.asdict`, also after a JSON round trip."""
        errors = plain["frequency_error"]
        return cls(**plain | {"frequency_error": None if errors is None else tuple(errors)})


def score(
    image: np.ndarray, clean: np.ndarray, *, rounding: Rounding, estimate: float | None = None
) -> Scores:
    """Scores an image against its clean version.

    Args:
      image: (H, W) or (H, W, 3), uint8 or floating point in [0, 1].
      clean: uint8 of the same shape.

    Raises:
      ValueError: the shapes differ.
    """
    if image.shape != clean.shape:
        raise ValueError(f"An image of {image.shape} cannot be compared with {clean.shape}.")
    if image.dtype == np.uint8:
        batch = metrics.as_batch(image)
    else:
        batch = np.asarray(image, np.float32).reshape(1, *image.shape[:2], -1)
    values = jax.device_get(all_metrics(batch, metrics.as_batch(clean), rounding=rounding))
    errors = values.pop("frequency_error", None)
    return Scores(
        **{name: float(value) for name, value in values.items()},
        estimate=estimate,
        frequency_error=None if errors is None else tuple(map(float, errors)),
    )


@functools.partial(jax.jit, static_argnames="rounding")
def all_metrics(image: jax.Array, clean: jax.Array, *, rounding: Rounding) -> dict[str, jax.Array]:
    """Scores an image (1, H, W, C) in [0, 1]; returns all fields of `Scores` but the estimate."""
    sides = image.shape[1:3]
    values = {
        "psnr": metrics.psnr(image, clean, rounding=rounding)[0],
        "psnr_b": metrics.psnr_b(image, clean, rounding=rounding)[0],
    }
    for window in SsimWindow:
        if min(sides) >= len(window.weights):
            similarity = metrics.ssim(image, clean, window=window, rounding=rounding)
            values[f"ssim_{window.value}"] = similarity[0]
    if image.shape[-1] == 1 and min(sides) >= BLOCK:
        difference = metrics.to_levels(image, rounding=rounding) - metrics.to_levels(clean)
        rows, columns = (side - side % BLOCK for side in sides)
        coefficients = block_dct(difference[:, :rows, :columns])
        values["frequency_error"] = jnp.mean(coefficients**2, axis=(0, 2, 3, 4))
    return values


def mean(values: list[float | None]) -> float | None:
    """Averages values; None if there are none or one is missing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if values and len(known) == len(values) else None


def gain(restored: Scores, before: Scores) -> float | None:
    """Returns the PSNR gain, 0 if both are infinite; None if one is missing."""
    if restored.psnr is None or before.psnr is None:
        return None
    return 0.0 if restored.psnr == before.psnr else restored.psnr - before.psnr


def mean_frequency_error(scores: list[Scores]) -> np.ndarray | None:
    """Averages frequency errors over images, (64,); None if one is missing."""
    errors = [s.frequency_error for s in scores if s.frequency_error is not None]
    if not errors or len(errors) != len(scores):
        return None
    return np.mean(np.array(errors).reshape(-1, FREQUENCIES), axis=0)
