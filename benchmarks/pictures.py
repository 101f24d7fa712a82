"""The pictures that a benchmark measures on, and JPEGs of them."""

import io

import numpy as np
from PIL import Image

from agarnet_jax.color import LumaRange
from data_pipelines.sources.opening import open_images
from experiments import program


def first_pictures(
    place: str, count: int, *, luma_range: LumaRange | None = None
) -> list[np.ndarray]:
    """Opens the first pictures of a folder, or their luma in a range.

    A folder that cannot be used ends the program with one line.
    """
    with program.one_line_errors():
        source = open_images(place, luma_range=luma_range)
    return [source[i] for i in range(min(count, len(source)))]


def saved_jpeg(
    image: np.ndarray, quality: int, *, subsampling: str = "4:2:0", ycbcr: bool = False
) -> Image.Image:
    """Saves gray (H, W) or RGB (H, W, 3) uint8 as a JPEG by Pillow and opens it again.

    Args:
      ycbcr: whether a colour image is to be decoded as it is stored, not as RGB.
    """
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=subsampling)
    picture = Image.open(file, formats=("JPEG",))
    if ycbcr:
        picture.draft("YCbCr", None)
    return picture
