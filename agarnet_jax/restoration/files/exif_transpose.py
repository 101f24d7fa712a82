"""Applies EXIF orientation to images and arrays, and undoes it."""

import numpy as np
from PIL import Image

from agarnet_jax.restoration.files.exif import UPRIGHT
from agarnet_jax.restoration.pixels import ImageLike

_Transpose = Image.Transpose
_INVERSE = {
    _Transpose.ROTATE_90: _Transpose.ROTATE_270,
    _Transpose.ROTATE_270: _Transpose.ROTATE_90,
}
_ARRAY_TRANSPOSES = {
    _Transpose.FLIP_LEFT_RIGHT: lambda a: a[:, ::-1],
    _Transpose.FLIP_TOP_BOTTOM: lambda a: a[::-1],
    _Transpose.ROTATE_90: lambda a: np.rot90(a, 1),
    _Transpose.ROTATE_180: lambda a: np.rot90(a, 2),
    _Transpose.ROTATE_270: lambda a: np.rot90(a, 3),
    _Transpose.TRANSPOSE: lambda a: a.swapaxes(0, 1),
    _Transpose.TRANSVERSE: lambda a: np.rot90(a, 2).swapaxes(0, 1),
}


def upright(pixels: ImageLike, *, orientation: int) -> ImageLike:
    """Returns stored pixels, (H, W) or (H, W, C), upright; orientation is EXIF's, 1–8."""
    return _transpose(pixels, UPRIGHT[orientation]) if orientation in UPRIGHT else pixels


def as_stored(pixels: ImageLike, *, orientation: int) -> ImageLike:
    """Undoes `upright`."""
    if orientation not in UPRIGHT:
        return pixels
    method = UPRIGHT[orientation]
    return _transpose(pixels, _INVERSE.get(method, method))


def _transpose(pixels: ImageLike, method: Image.Transpose) -> ImageLike:
    if isinstance(pixels, Image.Image):
        return pixels.transpose(method)
    return np.ascontiguousarray(_ARRAY_TRANSPOSES[method](pixels))
