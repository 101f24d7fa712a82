"""Reads files of every format but JPEG; pixels in unsupported modes are converted."""

import pathlib
from typing import BinaryIO

import numpy as np
from PIL import Image, PpmImagePlugin, TiffImagePlugin
from PIL.ExifTags import Base as Tag
from PIL.ImageFile import ImageFile as PillowFile

from agarnet_jax.restoration.files import color16_reading, decoding_limits, exif_transpose
from agarnet_jax.restoration.files.image_file import ImageFile
from agarnet_jax.restoration.files.metadata import Metadata
from agarnet_jax.restoration.pixels import ImageLike

_WHITE_IS_ZERO = 0  # as photometric interpretation
_UNKEPT_TIFF_TAGS = {
    "GeoTIFF": (33550, 33922, 34264, 34735, 34736, 34737),
    "IPTC": (33723,),
    "Photoshop": (34377,),
}
_PNG_BIT_DEPTH = 24  # its offset: after the signature, IHDR's length and type, width and height
_KEPT_MODES = ("LA", "RGB", "RGBA", "YCbCr", "CMYK")
_GRAY_MODES = ("1", "L", "I;16", "I;16B", "I;16L", "I;16N")
_CONVERSIONS = {"La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "PA": "RGBA", "HSV": "RGB"}
_FROM_12_BITS = np.round(np.arange(4096) * (65535 / 4095)).astype(np.uint16)


def read(file: BinaryIO, path: pathlib.Path, *, max_pixels: int) -> ImageFile:
    """Reads an open file; arguments and errors are those of `reading.read`."""
    image = _open(file)
    decoding_limits.check(image, path, max_pixels=max_pixels)
    orientation = _orientation_applied_on_load(image)
    warnings: list[str] = []
    pixels = exif_transpose.as_stored(_pixels(image, file, warnings), orientation=orientation)
    metadata = Metadata.of(image, orientation=orientation)
    return ImageFile(pixels, metadata, image.format or "unknown", tuple(warnings), header=None)


def _open(file: BinaryIO) -> PillowFile:
    file.seek(0)
    with decoding_limits.without_pillow_limit():
        image = Image.open(file)
    if isinstance(image, TiffImagePlugin.TiffImageFile) and Tag.Orientation not in image.tag_v2:
        image.getexif().pop(Tag.Orientation, None)  # from XMP, which Pillow applies to TIFF only
    return image


def _orientation_applied_on_load(image: Image.Image) -> int:
    """Returns the orientation that Pillow applies while loading, which it does for TIFF only."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return image.getexif().get(Tag.Orientation, 1)
    return 1


def _pixels(image: PillowFile, file: BinaryIO, warnings: list[str]) -> ImageLike:
    """Loads the image and returns its pixels."""
    is_color16 = color16_reading.is_color16(image)
    is_netpbm = isinstance(image, PpmImagePlugin.PpmImageFile)
    if bits := color16_reading.reduced_from(image, file):
        warnings.append(f"its {bits}-bit colours were converted to 8 bits")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        unkept = [
            name for name, tags in _UNKEPT_TIFF_TAGS.items() if any(t in image.tag_v2 for t in tags)
        ]
        if unkept:
            warnings.append(f"its {', '.join(unkept)} data is not kept")
    with decoding_limits.without_pillow_limit(image):
        image.load()
        if is_color16:
            return color16_reading.read_color16(image, lambda: _open(file))
        if image.mode in _GRAY_MODES or (is_netpbm and image.mode == "I"):
            return _gray(image, file, warnings)
        return _in_kept_mode(image, warnings)


def _gray(image: PillowFile, file: BinaryIO, warnings: list[str]) -> ImageLike:
    """Returns 8- or 16-bit gray, with alpha if one level is transparent."""
    transparent = image.info.get("transparency")
    if image.mode == "L" and transparent is None:
        return image
    if image.mode == "1":
        warnings.append("its black-and-white pixels were converted to gray")
    has_16_bits = image.mode not in ("1", "L")
    levels = np.asarray(image.convert("L") if image.mode == "1" else image)
    levels = levels.astype(np.uint16 if has_16_bits else np.uint8)
    peak = np.iinfo(levels.dtype).max
    if _has_12_bits(image):
        levels = _FROM_12_BITS[levels]
    if has_16_bits and _is_white_zero(image):
        levels = peak - levels
    if not isinstance(transparent, int):
        return Image.fromarray(levels)
    if image.format == "PNG" and image.mode != "1":  # the level is given at the file's bit depth
        file.seek(_PNG_BIT_DEPTH)
        transparent = transparent * peak // (2 ** file.read(1)[0] - 1)
    alpha = np.where(levels == transparent, 0, peak).astype(levels.dtype)
    pixels = np.stack([levels, alpha], axis=-1)
    return pixels if has_16_bits else Image.fromarray(pixels)


def _has_12_bits(image: PillowFile) -> bool:
    """Returns whether it is a 12-bit gray TIFF, whose levels (up to 4095) Pillow does not scale."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    return image.tag_v2.get(Tag.BitsPerSample) == (12,)


def _is_white_zero(image: PillowFile) -> bool:
    """Returns whether a TIFF file stores white as zero, which Pillow inverts for 8 bits only."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    return image.tag_v2.get(Tag.PhotometricInterpretation) == _WHITE_IS_ZERO


def _in_kept_mode(image: Image.Image, warnings: list[str]) -> Image.Image:
    mode, has_transparency = image.mode, "transparency" in image.info
    if mode == "P":
        warnings.append("its palette was converted to RGB")
        return image.convert("RGBA" if has_transparency else "RGB")
    if has_transparency and mode == "RGB":
        return image.convert("RGBA")
    if mode in _CONVERSIONS:
        return image.convert(_CONVERSIONS[mode])
    if mode not in _KEPT_MODES:
        raise ValueError(
            f"pixels of mode {mode!r} are not supported; save it as 8- or 16-bit gray or RGB"
        )
    return image
