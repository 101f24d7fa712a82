"""Image files out, with the metadata of the input.

What Pillow would take from `Image.info` is always given explicitly: pixels come from anywhere.
"""

import dataclasses
import io
import pathlib
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from agarnet_jax.restoration.files import deep_png, formats, tiff_writing, turning
from agarnet_jax.restoration.files.atomic import atomically
from agarnet_jax.restoration.files.formats import Format
from agarnet_jax.restoration.files.metadata import COMMENT, Metadata
from agarnet_jax.restoration.pixels import Picture

# Restored pixels are worth keeping: nearly no loss, chroma at full resolution.
# Not optimized: 3 to 5 % fewer bytes would take all coefficients in memory, and Pillow gives them a
# buffer that noise overflows.
_JPEG_OPTIONS = {"quality": 95, "subsampling": "4:4:4"}
# Looks for runs only: photographs repeat little else. On 12 of them a quarter of the time for 0.6 %
# more bytes; deep PNG and TIFF files alike.
_PNG_OPTIONS = {"compress_type": zlib.Z_RLE}
_WEBP_OPTIONS = {"lossless": True, "exact": True}
_LARGEST_JPEG_SEGMENT = 65533
_ICC_SPACE = slice(16, 20)  # where a profile names the colours it describes
_XMP_PREFIX_BYTES = 29


def write(
    pixels: Picture,
    path: pathlib.Path,
    *,
    metadata: Metadata,
    format: Format | None = None,
    before_replacing: Callable[[], object] | None = None,
) -> list[str]:
    """Writes an image to `path`, replacing what is there when it is complete.

    Args:
      pixels: as the input was stored; they are turned as `metadata` asks. A Pillow image of mode
        L, LA, RGB, RGBA, CMYK, YCbCr or I;16, or an array (H, W) or (H, W, 1–4) uint8 or uint16.
      path: in an existing folder.
      metadata: of the input; what the format holds of it is written.
      format: None: by the suffix of `path`.
      before_replacing: called when the new file is complete, and `path` still the old one.

    Returns:
      What the format could not keep, a sentence each.

    Raises:
      InputError: it cannot be written; nothing is left of the attempt.
    """
    format = format or formats.of_path(path)
    pixels = turning.upright(_picture_or_deep(pixels), orientation=metadata.orientation)
    pixels, metadata, warnings = _fitted(pixels, metadata.made_upright(), format)
    with atomically(path, before_replacing=before_replacing) as file:
        _encode(pixels, file, format, metadata, warnings)
    return warnings


def _picture_or_deep(pixels: Picture) -> Picture:
    """8-bit arrays and gray as Pillow images; 16-bit colour stays an array."""
    if isinstance(pixels, Image.Image):
        return pixels
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype == np.uint16 and pixels.ndim == 3:
        return pixels
    return Image.fromarray(pixels)


def _fitted(
    pixels: Picture, metadata: Metadata, format: Format
) -> tuple[Picture, Metadata, list[str]]:
    """The pixels in a form the format holds, metadata that goes with them, and what was lost."""
    warnings = []
    if not format.deep and (isinstance(pixels, np.ndarray) or pixels.mode == "I;16"):
        pixels = Image.fromarray(_to_8_bits(np.asarray(pixels)))
        warnings.append(f"{format.name} holds 8 bits a sample, so 16 were rounded to 8")
    if isinstance(pixels, np.ndarray) or pixels.mode == "I;16" or pixels.mode in format.modes:
        return pixels, metadata, warnings
    if pixels.mode == "CMYK":
        pixels = _rgb_of_cmyk(pixels, metadata.icc_profile)
        metadata = dataclasses.replace(metadata, icc_profile=b"")
        warnings.append(
            f"{format.name} holds no CMYK, so it was converted to RGB; --format tiff keeps it"
        )
    elif pixels.mode in ("LA", "RGBA") and "RGBA" not in format.modes:
        pixels = pixels.convert("L" if pixels.mode == "LA" else "RGB")
        warnings.append(f"{format.name} holds no transparency, which was left out")
    else:
        if metadata.icc_profile[_ICC_SPACE] == b"GRAY":
            metadata = dataclasses.replace(metadata, icc_profile=b"")
            warnings.append(f"{format.name} holds no gray, so its gray ICC profile was left out")
        pixels = pixels.convert("RGBA" if pixels.mode == "LA" else "RGB")
    return pixels, metadata, warnings


def _to_8_bits(pixels: np.ndarray) -> np.ndarray:
    return ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _rgb_of_cmyk(picture: Image.Image, profile: bytes) -> Image.Image:
    """Converts by the profile to sRGB where there is one, else as inks that absorb completely."""
    if profile:
        try:
            inks = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            rgb = ImageCms.profileToProfile(
                picture, inks, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError):  # not a profile of CMYK
            rgb = None
        if rgb is not None:
            return rgb
    return picture.convert("RGB")


def _encode(
    pixels: Picture,
    file: BinaryIO,
    format: Format,
    metadata: Metadata,
    warnings: list[str],
) -> None:
    others = sorted(metadata.texts.keys() - {COMMENT})
    if others and format.name != "PNG":
        warnings.append(f"only PNG holds its texts {', '.join(others)}, which were left out")
    if format.name == "TIFF":
        cmyk = isinstance(pixels, Image.Image) and pixels.mode == "CMYK"
        warnings += tiff_writing.write(np.asarray(pixels), file, metadata=metadata, cmyk=cmyk)
        return
    options = _OPTIONS[format.name](metadata, warnings)
    if isinstance(pixels, np.ndarray):
        deep_png.write(pixels, file, **options)
    else:
        pixels.save(cast(BinaryIO, _PythonWrites(file)), format.name, **options)


class _PythonWrites:
    """A file without a number: Pillow's encoders write to numbers themselves, and then say of a
    full disk no more than "encoder error"."""

    def __init__(self, file: BinaryIO):
        self.write, self.flush, self.seek, self.tell = file.write, file.flush, file.seek, file.tell


def _png_options(metadata: Metadata, warnings: list[str]) -> dict[str, Any]:
    del warnings  # it holds everything
    texts = PngImagePlugin.PngInfo()
    for key, value in metadata.texts.items():
        texts.add_text(key, value)
    if metadata.xmp:
        texts.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    return _PNG_OPTIONS | {
        "pnginfo": texts,
        "exif": metadata.exif,
        "icc_profile": metadata.icc_profile,
        "dpi": metadata.density,
    }


def _webp_options(metadata: Metadata, warnings: list[str]) -> dict[str, Any]:
    if COMMENT in metadata.texts:
        warnings.append("WebP holds no comment, which was left out")
    return _WEBP_OPTIONS | {
        "exif": metadata.exif,
        "icc_profile": metadata.icc_profile,
        "xmp": metadata.xmp,
    }


def _jpeg_options(metadata: Metadata, warnings: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = dict(_JPEG_OPTIONS)
    for name, value, prefix in (
        ("exif", metadata.exif and b"Exif\0\0" + metadata.exif, 0),
        ("xmp", metadata.xmp, _XMP_PREFIX_BYTES),
        ("comment", metadata.texts.get(COMMENT, "").encode(), 0),
    ):
        if len(value) + prefix > _LARGEST_JPEG_SEGMENT:
            warnings.append(f"JPEG holds 64 KB of {name} data, the input has more: left out")
        else:
            options[name] = value
    options["icc_profile"] = metadata.icc_profile
    if metadata.density:
        options["dpi"] = metadata.density
    return options


def _bmp_options(metadata: Metadata, warnings: list[str]) -> dict[str, Any]:
    for name, value in (
        ("EXIF data", metadata.exif),
        ("ICC profile", metadata.icc_profile),
        ("XMP data", metadata.xmp),
        ("comment", COMMENT in metadata.texts),
    ):
        if value:
            warnings.append(f"BMP holds no {name}, which was left out")
    return {"dpi": metadata.density} if metadata.density else {}


_OPTIONS: dict[str, Callable[[Metadata, list[str]], dict[str, Any]]] = {
    "PNG": _png_options,
    "WEBP": _webp_options,
    "JPEG": _jpeg_options,
    "BMP": _bmp_options,
}
