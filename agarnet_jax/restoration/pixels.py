"""Between the arrays and pictures users have and the luma plane the network works on (NumPy)."""

import dataclasses

import numpy as np
from PIL import Image

from agarnet_jax.color import rgb_to_ycbcr, ycbcr_to_rgb

_INTEGER_PEAKS = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
# Pillow modes the network's arrays express as they are; every other mode becomes RGB.
_ARRAY_MODES = ("L", "LA", "RGB", "RGBA", "I;16")
_SIMPLE_MODES = {"1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA"}


@dataclasses.dataclass(frozen=True)
class LumaPlane:
    """An image split into what is restored and what is kept.

    luma: (H, W) float32 in [0, 1]; full range.
    chroma: (H, W, 2) float32 in [0, 1], or None for gray.
    alpha: (H, W, 1) in the original dtype, or None.
    shape, dtype: of the original array.
    """

    luma: np.ndarray
    chroma: np.ndarray | None
    alpha: np.ndarray | None
    shape: tuple[int, ...]
    dtype: np.dtype

    @classmethod
    def of(cls, image: np.ndarray) -> "LumaPlane":
        """Splits (H, W) or (H, W, C) with C = 1 gray, 2 gray + alpha, 3 RGB, 4 RGB + alpha.

        uint8, uint16, or floating point in [0, 1].

        Raises:
          ValueError: another shape or dtype, an empty image, or values that are not finite.
        """
        shape = image.shape
        if image.ndim == 2:
            image = image[..., None]
        if image.ndim != 3 or not 1 <= image.shape[2] <= 4 or image.size == 0:
            raise ValueError(
                f"An image array must be (H, W) or (H, W, 1–4) and not empty, got shape {shape}."
            )
        if image.dtype not in _INTEGER_PEAKS and image.dtype.kind != "f":
            raise ValueError(
                f"An image array must be uint8, uint16 or floating point in [0, 1], got dtype "
                f"{image.dtype}."
            )
        color, alpha = image, None
        if image.shape[2] in (2, 4):
            color, alpha = image[..., :-1], image[..., -1:]
        unit = color.astype(np.float32) / np.float32(_INTEGER_PEAKS.get(image.dtype, 1))
        if not np.isfinite(unit).all():
            raise ValueError("An image array must hold finite values, got NaN or infinity.")
        if unit.shape[2] == 1:
            return cls(unit[..., 0], None, alpha, shape, image.dtype)
        ycbcr = rgb_to_ycbcr(unit)
        return cls(ycbcr[..., 0], ycbcr[..., 1:], alpha, shape, image.dtype)

    def with_luma(self, luma: np.ndarray) -> np.ndarray:
        """The original image with another luma: same shape and dtype, clipped, rounded."""
        if self.chroma is None:
            color = luma[..., None]
        else:
            color = ycbcr_to_rgb(np.concatenate([luma[..., None], self.chroma], axis=-1))
        color = np.clip(color, 0, 1)
        if self.dtype in _INTEGER_PEAKS:
            color = np.rint(color * _INTEGER_PEAKS[self.dtype])
        color = color.astype(self.dtype)
        if self.alpha is not None:
            color = np.concatenate([color, self.alpha], axis=-1)
        return color.reshape(self.shape)


def pad_to_blocks(luma: np.ndarray, block: int) -> np.ndarray:
    """(H, W) continued by its last row and column to multiples of `block`, as encoders do."""
    height, width = luma.shape
    return np.pad(luma, ((0, -height % block), (0, -width % block)), mode="edge")


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
