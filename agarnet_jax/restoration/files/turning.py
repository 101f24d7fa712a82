"""Pictures and arrays turned as EXIF's orientation asks, and back."""

import numpy as np
from PIL import Image

from agarnet_jax.restoration.files.exif import UPRIGHT
from agarnet_jax.restoration.pixels import Picture

_Way = Image.Transpose
_INVERSE = {_Way.ROTATE_90: _Way.ROTATE_270, _Way.ROTATE_270: _Way.ROTATE_90}
_OF_ARRAYS = {
    _Way.FLIP_LEFT_RIGHT: lambda a: a[:, ::-1],
    _Way.FLIP_TOP_BOTTOM: lambda a: a[::-1],
    _Way.ROTATE_90: lambda a: np.rot90(a, 1),
    _Way.ROTATE_180: lambda a: np.rot90(a, 2),
    _Way.ROTATE_270: lambda a: np.rot90(a, 3),
    _Way.TRANSPOSE: lambda a: a.swapaxes(0, 1),
    _Way.TRANSVERSE: lambda a: np.rot90(a, 2).swapaxes(0, 1),
}


def upright(pixels: Picture, *, orientation: int) -> Picture:
    """Stored pixels, (H, W) or (H, W, C), brought upright; orientation is EXIF's, 1–8."""
    return _turned(pixels, UPRIGHT[orientation]) if orientation in UPRIGHT else pixels


def as_stored(pixels: Picture, *, orientation: int) -> Picture:
    """The inverse of `upright`."""
    if orientation not in UPRIGHT:
        return pixels
    way = UPRIGHT[orientation]
    return _turned(pixels, _INVERSE.get(way, way))


def _turned(pixels: Picture, way: Image.Transpose) -> Picture:
    if isinstance(pixels, Image.Image):
        return pixels.transpose(way)
    return np.ascontiguousarray(_OF_ARRAYS[way](pixels))
