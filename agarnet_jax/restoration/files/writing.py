"""Writes image files, with the metadata of the input.

Metadata is always passed explicitly, never taken from `Image.info`, since the pixels may come from
anywhere.
"""

import contextlib
import dataclasses
import io
import pathlib
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from agarnet_jax import atomic_files
from agarnet_jax.restoration.files import exif_transpose, formats, png16_writing, tiff_writing
from agarnet_jax.restoration.files.errors import InputError, quoted, reason
from agarnet_jax.restoration.files.formats import Format
from agarnet_jax.restoration.files.metadata import COMMENT, Metadata
from agarnet_jax.restoration.pixels import ImageLike

# Nearly lossless, with full-resolution chroma, so as not to degrade the restored pixels.
# Not optimized: that saves 3 to 5 % but keeps all coefficients in memory, and the buffer Pillow
# allocates for them is too small for noise.
_JPEG_OPTIONS = {"quality": 95, "subsampling": "4:4:4"}
# Run-length matching only, since photographs repeat little else: on 12 of them, a quarter of the
# time for 0.6 % more bytes. 16-bit PNG and TIFF files do the same.
_PNG_OPTIONS = {"compress_type": zlib.Z_RLE}
_WEBP_OPTIONS = {"lossless": True, "exact": True}
_MAX_JPEG_SEGMENT = 65533
_ICC_COLOR_SPACE = slice(16, 20)  # where a profile names its colour space
_XMP_PREFIX_BYTES = 29


def write(
    pixels: ImageLike,
    path: pathlib.Path,
    *,
    metadata: Metadata,
    format: Format | None = None,
    before_replacing: Callable[[], object] | None = None,
) -> list[str]:
    """Writes an image to `path`, atomically replacing an existing file.

    Args:
      pixels: as stored in the input; written upright, according to `metadata`. A Pillow image of
        mode L, LA, RGB, RGBA, CMYK, YCbCr or I;16, or an array (H, W) or (H, W, 1–4) uint8 or
        uint16.
      path: in an existing folder.
      metadata: of the input; written as far as the format supports it.
      format: None: chosen by the suffix of `path`.
      before_replacing: called when the new file is complete, just before it replaces the old one.

    Returns:
      What the format could not keep, one clause each.

    Raises:
      InputError: the file cannot be written; no partial file is left.
    """
    format = format or formats.of_path(path)
    pixels = exif_transpose.upright(_image_or_array16(pixels), orientation=metadata.orientation)
    pixels, metadata, warnings = _fit(pixels, metadata.reset_orientation(), format)
    with _replacing(path, before_replacing) as file:
        _encode(pixels, file, format, metadata, warnings)
    return warnings


@contextlib.contextmanager
def _replacing(
    path: pathlib.Path, before_replacing: Callable[[], object] | None
) -> Iterator[BinaryIO]:
    """Wraps `atomic_files.replacing` and turns its errors into messages for the user.

    Raises:
      InputError: the file cannot be written.
    """
    try:
        with atomic_files.replacing(path, before_replacing=before_replacing) as file:
            yield file
    except OSError as error:
        raise InputError(
            f"{quoted(path)} cannot be written: {reason(error)}; nothing was changed."
        ) from None
    except ValueError as error:
        raise InputError(f"{quoted(path)} cannot be written: {reason(error)}.") from None


def _image_or_array16(pixels: ImageLike) -> ImageLike:
    """Returns a Pillow image, or the array itself for 16-bit colour, which Pillow cannot hold."""
    if isinstance(pixels, Image.Image):
        return pixels
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype == np.uint16 and pixels.ndim == 3:
        return pixels
    return Image.fromarray(pixels)


def _fit(
    pixels: ImageLike, metadata: Metadata, format: Format
) -> tuple[ImageLike, Metadata, list[str]]:
    """Returns pixels that the format supports, the metadata for them, and what was lost."""
    warnings = []
    if not format.supports_16_bits and (isinstance(pixels, np.ndarray) or pixels.mode == "I;16"):
        pixels = Image.fromarray(_to_8_bits(np.asarray(pixels)))
        warnings.append(f"{format.name} has 8 bits per sample, so 16 were rounded to 8")
    if isinstance(pixels, np.ndarray) or pixels.mode == "I;16" or pixels.mode in format.modes:
        return pixels, metadata, warnings
    if pixels.mode == "CMYK":
        pixels = _rgb_of_cmyk(pixels, metadata.icc_profile)
        metadata = dataclasses.replace(metadata, icc_profile=b"")
        warnings.append(
            f"{format.name} has no CMYK, so it was converted to RGB; --format tiff keeps it"
        )
    elif pixels.mode in ("LA", "RGBA") and "RGBA" not in format.modes:
        pixels = pixels.convert("L" if pixels.mode == "LA" else "RGB")
        warnings.append(f"{format.name} has no transparency, so it was dropped")
    else:
        if metadata.icc_profile[_ICC_COLOR_SPACE] == b"GRAY":
            metadata = dataclasses.replace(metadata, icc_profile=b"")
            warnings.append(f"{format.name} has no gray mode, so the gray ICC profile was dropped")
        pixels = pixels.convert("RGBA" if pixels.mode == "LA" else "RGB")
    return pixels, metadata, warnings


def _to_8_bits(pixels: np.ndarray) -> np.ndarray:
    return ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _rgb_of_cmyk(image: Image.Image, profile: bytes) -> Image.Image:
    """Converts to sRGB by the ICC profile, or else by the plain formula for ideal inks."""
    if profile:
        try:
            inks = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            rgb = ImageCms.profileToProfile(
                image, inks, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError):  # not a CMYK profile
            rgb = None
        if rgb is not None:
            return rgb
    return image.convert("RGB")


def _encode(
    pixels: ImageLike,
    file: BinaryIO,
    format: Format,
    metadata: Metadata,
    warnings: list[str],
) -> None:
    others = sorted(metadata.texts.keys() - {COMMENT})
    if others and format.name != "PNG":
        warnings.append(f"only PNG can hold its texts {', '.join(others)}, which were dropped")
    if format.name == "TIFF":
        cmyk = isinstance(pixels, Image.Image) and pixels.mode == "CMYK"
        warnings += tiff_writing.write(np.asarray(pixels), file, metadata=metadata, cmyk=cmyk)
        return
    options = _OPTIONS[format.name](metadata, warnings)
    if isinstance(pixels, np.ndarray):
        png16_writing.write(pixels, file, **options)
    else:
        pixels.save(cast(BinaryIO, _WithoutDescriptor(file)), format.name, **options)


class _WithoutDescriptor:
    """A file without `fileno`, so that Pillow's encoders write through Python.

    To a file descriptor they write themselves, and report a full disk as "encoder error" only.
    """

    def __init__(self, file: BinaryIO):
        self.write, self.flush, self.seek, self.tell = file.write, file.flush, file.seek, file.tell


def _png_options(metadata: Metadata, warnings: list[str]) -> dict[str, Any]:
    del warnings  # PNG keeps everything
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
        warnings.append("WebP has no comments, so its comment was dropped")
    return _WEBP_OPTIONS | {
        "exif": metadata.exif,
        "icc_profile": metadata.icc_profile,
        "xmp": metadata.xmp,
    }


def _jpeg_options(metadata: Metadata, warnings: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = dict(_JPEG_OPTIONS)
    for name, label, value, prefix in (
        ("exif", "EXIF data", metadata.exif and b"Exif\0\0" + metadata.exif, 0),
        ("xmp", "XMP data", metadata.xmp, _XMP_PREFIX_BYTES),
        ("comment", "comments", metadata.texts.get(COMMENT, "").encode(), 0),
    ):
        if len(value) + prefix > _MAX_JPEG_SEGMENT:
            warnings.append(f"JPEG can hold 64 KB of {label}, the input has more: dropped")
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
            warnings.append(f"BMP cannot hold its {name}, which was dropped")
    return {"dpi": metadata.density} if metadata.density else {}


_OPTIONS: dict[str, Callable[[Metadata, list[str]], dict[str, Any]]] = {
    "PNG": _png_options,
    "WEBP": _webp_options,
    "JPEG": _jpeg_options,
    "BMP": _bmp_options,
}
