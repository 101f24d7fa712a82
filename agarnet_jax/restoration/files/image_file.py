"""A decoded image file."""

import dataclasses

import numpy as np
from PIL import Image

from agarnet_jax.restoration.files.metadata import Metadata
from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.pixels import ImageLike


@dataclasses.dataclass(frozen=True, eq=False)
class ImageFile:
    """A decoded image file.

    pixels: a loaded Pillow image of mode L, LA, RGB, RGBA, CMYK, I;16 or, for a JPEG file coded in
      YCbCr, YCbCr (exact luma, before clipping to RGB). For 16-bit colour, an array (H, W, 2–4)
      uint16. In the file's own layout: on its block grid, with the orientation not applied.
    metadata: EXIF, ICC profile, XMP, density and texts.
    kind: Pillow's name of the format, such as "JPEG" or "PNG".
    warnings: what was converted, is missing or could not be kept; one clause each.
    header: how a JPEG file is coded; None for other formats.
    """

    pixels: ImageLike
    metadata: Metadata
    kind: str
    warnings: tuple[str, ...]
    header: JpegHeader | None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as stored."""
        if isinstance(self.pixels, np.ndarray):
            return self.pixels.shape[1], self.pixels.shape[0]
        return self.pixels.size

    def first_component(self) -> np.ndarray:
        """Returns the first decoded component of a JPEG file, usually luma: (H, W) uint8."""
        assert isinstance(self.pixels, Image.Image)
        return np.asarray(self.pixels.getchannel(0))
