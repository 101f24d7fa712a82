"""Between the arrays and pictures users have and the luma plane the network works on (NumPy)."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from PIL import Image

from agarnet_jax.color import luma

_STRIP_PIXELS = 2**18
_INTEGER_PEAKS = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
# Pillow modes the network's arrays express as they are; every other mode becomes RGB.
_ARRAY_MODES = ("L", "LA", "RGB", "RGBA", "I;16")
_SIMPLE_MODES = {"1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA"}


@dataclasses.dataclass(frozen=True)
class LumaPlane:
    """The luma of an image, and the way back.

    luma: (H, W) float32 in [0, 1]; full range.
    image: what it was taken from.
    """

    luma: np.ndarray
    image: np.ndarray

    @classmethod
    def of(cls, image: np.ndarray) -> "LumaPlane":
        """Takes (H, W) or (H, W, C) with C = 1 gray, 2 gray + alpha, 3 RGB, 4 RGB + alpha.

        uint8, uint16, or floating point in [0, 1].

        Raises:
          ValueError: another shape or dtype, an empty image, or values that are not finite.
        """
        if image.ndim not in (2, 3) or image.size == 0 or (image.ndim == 3 and image.shape[2] > 4):
            raise ValueError(
                "An image array must be (H, W) or (H, W, 1–4) and not empty, got shape "
                f"{image.shape}."
            )
        if image.dtype not in _INTEGER_PEAKS and image.dtype.kind != "f":
            raise ValueError(
                f"An image array must be uint8, uint16 or floating point in [0, 1], got dtype "
                f"{image.dtype}."
            )
        plane = np.empty(image.shape[:2], np.float32)
        scale = 1 / _INTEGER_PEAKS.get(image.dtype, 1)
        for rows in _strips(plane):
            color = _color_channels(image[rows]).astype(np.float32)
            plane[rows] = scale * (luma(color) if color.shape[-1] == 3 else color[..., 0])
        if not np.isfinite(plane).all():
            raise ValueError("An image array must hold finite values, got NaN or infinity.")
        return cls(plane, image)

    def with_luma(self, restored: np.ndarray) -> np.ndarray:
        """The image with another luma (H, W): same shape and dtype, clipped, rounded.

        At the same chroma, red, green and blue change by as much as luma does. Alpha is kept.
        """
        result = self.image.copy()
        peak = _INTEGER_PEAKS.get(result.dtype, 1)
        for rows in _strips(restored):
            color = _color_channels(result[rows])
            change = peak * (restored[rows] - self.luma[rows])
            changed = np.clip(color + change[..., None], 0, peak)
            color[...] = np.rint(changed) if result.dtype in _INTEGER_PEAKS else changed
        return result


def _strips(plane: np.ndarray) -> Iterator[slice]:
    """Rows in pieces small enough that intermediate results need little memory."""
    height = max(1, _STRIP_PIXELS // plane.shape[1])
    return (slice(top, top + height) for top in range(0, plane.shape[0], height))


def _color_channels(image: np.ndarray) -> np.ndarray:
    """A view (H, W, 1 or 3) without alpha."""
    if image.ndim == 2:
        return image[..., None]
    return image[..., : 3 if image.shape[2] >= 3 else 1]


def array_from_picture(picture: Image.Image) -> np.ndarray:
    """A Pillow image of any mode as an array `LumaPlane.of` takes.

    Palette, CMYK, YCbCr and other modes become RGB (with alpha where they have it); gray of 16
    bits becomes uint16.
    """
    mode = picture.mode
    if mode in ("I", "I;16B", "I;16L", "I;16N"):  # 16-bit gray files, however Pillow holds them
        return np.clip(np.asarray(picture), 0, 65535).astype(np.uint16)
    if mode == "F":
        raise ValueError("Floating point pictures are ambiguous in range; pass an array in [0, 1].")
    if mode not in _ARRAY_MODES:
        has_alpha = "transparency" in picture.info
        picture = picture.convert(_SIMPLE_MODES.get(mode, "RGBA" if has_alpha else "RGB"))
    return np.asarray(picture)
