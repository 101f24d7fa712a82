"""Applies EXIF orientation to images and arrays, and undoes it."""

import numpy as np
from PIL import Image

from agarnet_jax.restoration.files.exif import UPRIGHT
from agarnet_jax.restoration.pixels import ImageLike

_INVERSE = {6: 8, 8: 6}  # rotations by 90°; the others are their own inverse


def upright(pixels: ImageLike, *, orientation: int) -> ImageLike:
    """Returns stored pixels, (H, W) or (H, W, C), upright; orientation is EXIF's, 1–8."""
    if orientation not in UPRIGHT:
        return pixels
    if isinstance(pixels, Image.Image):
        return pixels.transpose(UPRIGHT[orientation])
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def as_stored(pixels: ImageLike, *, orientation: int) -> ImageLike:
    """Undoes `upright`."""
    return upright(pixels, orientation=_INVERSE.get(orientation, orientation))
