"""Loads the images that a benchmark uses, compresses them as JPEG, and compares them."""

import io

import numpy as np
from PIL import Image

from agarnet_jax import metrics
from agarnet_jax.color import LumaRange
from data_pipelines.sources.opening import open_images
from experiments import program


def load_images(
    folder: str, count: int, *, luma_range: LumaRange | None = None
) -> list[np.ndarray]:
    """Loads the first `count` images of a folder; with `luma_range`, their luma in that range.

    An unusable folder ends the program with a one-line error.
    """
    with program.one_line_errors():
        source = open_images(folder, luma_range=luma_range)
    return [source[i] for i in range(min(count, len(source)))]


def saved_jpeg(
    image: np.ndarray, quality: int, *, subsampling: str = "4:2:0", ycbcr: bool = False
) -> Image.Image:
    """Compresses gray (H, W) or RGB (H, W, 3) uint8 with Pillow and opens the resulting JPEG.

    Args:
      ycbcr: whether to decode a colour image to YCbCr, as stored, instead of RGB.
    """
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=subsampling)
    picture = Image.open(file, formats=("JPEG",))
    if ycbcr:
        picture.draft("YCbCr", None)
    return picture


def psnr(image: np.ndarray, clean: np.ndarray) -> float:
    """Returns the PSNR in dB of an image, (H, W) or (H, W, 3) uint8."""
    return metrics.psnr(metrics.as_batch(image), metrics.as_batch(clean)).item()
