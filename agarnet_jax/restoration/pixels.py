"""Reads arrays and Pillow images in parts, so that no image is copied whole (NumPy)."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from PIL import Image

from agarnet_jax.jpeg_tables import BLOCK

_STRIP_PIXELS = 2**18
INTEGER_PEAKS: dict[np.dtype[Any], int] = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
DTYPES: dict[int, np.dtype[Any]] = {8: np.dtype(np.uint8), 16: np.dtype(np.uint16)}
_FAR_BELOW, _FAR_ABOVE = -0.5, 2.0  # filters overshoot [0, 1] by less, which is clipped
# Pillow modes that are read without conversion.
_READ_MODES = ("L", "LA", "RGB", "RGBA", "I;16", "YCbCr", "CMYK")
_DEEP_GRAY_MODES = ("I", "I;16B", "I;16L", "I;16N")  # of 16-bit gray files, besides I;16
# Conversions of modes that are not read directly; modes in neither list become RGB.
_CONVERTED_MODES = {"1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA"}

ImageLike = np.ndarray | Image.Image  # (H, W) or (H, W, C)


class PlaneReader(Protocol):
    """A plane that is read in parts: an array (H, W), or an object that acts like one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, index: tuple[slice, slice]) -> np.ndarray: ...


class Pixels(Protocol):
    """An image that is read in parts.

    shape: (H, W, channels). dtype: uint8, uint16, or floating point in [0, 1].
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Returns (rows, columns, channels)."""


class ArrayPixels:
    """Pixels of an array (H, W) or (H, W, C).

    Raises:
      ValueError: another shape or dtype, an empty image, or values that are not finite or far
        outside of [0, 1].
    """

    def __init__(self, image: np.ndarray):
        if image.ndim not in (2, 3) or image.size == 0 or (image.ndim == 3 and image.shape[2] > 4):
            raise ValueError(
                "An image array must be (H, W) or (H, W, 1–4) and not empty, got shape "
                f"{image.shape}."
            )
        native = image.dtype.newbyteorder("=")
        if native not in INTEGER_PEAKS and native.kind != "f":
            raise ValueError(
                f"An image array must be uint8, uint16 or floating point in [0, 1], got dtype "
                f"{image.dtype}."
            )
        self._image = image if image.ndim == 3 else image[..., None]
        self.shape, self.dtype = self._image.shape, native
        if image.dtype.kind == "f":
            _check_range(image, self.shape)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        return self._image[rows, columns].astype(self.dtype, copy=False)


def _check_range(image: np.ndarray, shape: tuple[int, ...]) -> None:
    for rows in strips(shape):
        low, high = image[rows].min(), image[rows].max()
        if not np.isfinite(low) or not np.isfinite(high):
            raise ValueError("An image array must hold finite values, got NaN or infinity.")
        if low < _FAR_BELOW or high > _FAR_ABOVE:
            is_8_bit = high > _FAR_ABOVE
            remedy = "divide 8-bit levels by 255" if is_8_bit else "map [-1, 1] to (x + 1) / 2"
            raise ValueError(
                f"A floating point image must be in [0, 1], got values from {low:g} to {high:g}; "
                f"{remedy}."
            )


class PillowPixels:
    """Pixels of a Pillow image of mode L, LA, RGB, RGBA, YCbCr, CMYK or I;16."""

    def __init__(self, image: Image.Image):
        self._image = image
        self.dtype = np.dtype(np.uint16 if image.mode == "I;16" else np.uint8)
        self.shape = (image.height, image.width, len(image.getbands()))

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        crop = self._image.crop((columns.start, rows.start, columns.stop, rows.stop))
        pixels = np.asarray(crop)
        return pixels if pixels.ndim == 3 else pixels[..., None]


def readable(image: Image.Image) -> Image.Image:
    """Converts an image to a mode of `PillowPixels`: 16-bit gray to I;16, palettes to RGB.

    Transparency becomes alpha.

    Raises:
      ValueError: a floating point image, whose range is unknown, or an empty one.
    """
    if 0 in image.size:
        raise ValueError(f"An image must not be empty, got {image.width}×{image.height}.")
    mode = image.mode
    if mode in _DEEP_GRAY_MODES:
        return Image.fromarray(np.clip(np.asarray(image), 0, 65535).astype(np.uint16))
    if mode == "F":
        raise ValueError("The range of a floating point image is unknown; pass an array in [0, 1].")
    if "transparency" in image.info:  # a transparent colour, or alpha of a palette
        mode = {"1": "LA", "L": "LA", "RGB": "RGBA", "P": "RGBA"}.get(mode, mode)
    if mode in _READ_MODES:
        return image if mode == image.mode else image.convert(mode)
    return image.convert(_CONVERTED_MODES.get(mode, "RGB"))


def array_from_pillow(image: Image.Image) -> np.ndarray:
    """Converts a Pillow image of any mode to a gray or RGB array, with alpha if it has any.

    Palette, CMYK, YCbCr and other modes become RGB; 16-bit gray becomes uint16.

    Raises:
      ValueError: see `readable`.
    """
    image = readable(image)
    return np.asarray(image.convert("RGB") if image.mode in ("YCbCr", "CMYK") else image)


def strips(shape: tuple[int, ...], *, unit: int = 1) -> Iterator[slice]:
    """Splits the rows of (H, W, …) into strips whose intermediate results need little memory.

    All strips but the last have a multiple of `unit` rows.
    """
    rows = max(unit, _STRIP_PIXELS // shape[1] // unit * unit)
    return (slice(top, min(top + rows, shape[0])) for top in range(0, shape[0], rows))


def pixels_of_blocks(blocks: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """Returns the values of 8×8 blocks (⌈H / 8⌉, ⌈W / 8⌉) at rows and columns of pixels."""
    indices = (np.arange(part.start or 0, part.stop) // BLOCK for part in (rows, columns))
    return blocks[np.ix_(*indices)]


def to_levels(part: np.ndarray) -> np.ndarray:
    """Converts a part of a plane, uint8 or in [0, 1], to levels 0–255, float32."""
    return part.astype(np.float32) * (1 if part.dtype == np.uint8 else 255)


def to_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Converts values in [0, 1] to a dtype: clipped, and for integers scaled and rounded."""
    peak = INTEGER_PEAKS.get(dtype, 1)
    scaled = np.clip(values, 0, 1) * peak
    return (np.rint(scaled) if dtype in INTEGER_PEAKS else scaled).astype(dtype)
