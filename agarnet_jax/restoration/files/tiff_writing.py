"""Writes deflated TIFF files of 8 and 16 bits per sample, with all metadata (TIFF 6.0).

Pillow writes colour with 8 bits only, so it writes the directory here, and we write the strips.
"""

import io
import struct
import zlib
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin
from PIL.ExifTags import Base as Tag

from agarnet_jax.restoration.files import exif
from agarnet_jax.restoration.files.errors import reason
from agarnet_jax.restoration.files.metadata import COMMENT, Metadata

_STRIP_BYTES = 2**20
_LONG, _BYTE, _UNDEFINED = 4, 1, 7
_DEFLATE, _HORIZONTAL_DIFFERENCING, _INCH, _UNASSOCIATED_ALPHA = 8, 2, 2, 2
_GRAY, _RGB, _CMYK = 1, 2, 5
# Tags that say how a file stores its image or thumbnail, or that are written from other metadata.
_STORAGE_TAGS = {
    Tag.ImageWidth,
    Tag.ImageLength,
    Tag.BitsPerSample,
    Tag.Compression,
    Tag.PhotometricInterpretation,
    Tag.StripOffsets,
    Tag.SamplesPerPixel,
    Tag.RowsPerStrip,
    Tag.StripByteCounts,
    Tag.PlanarConfiguration,
    Tag.TransferFunction,
    Tag.Predictor,
    Tag.ColorMap,
    Tag.TileWidth,
    Tag.TileLength,
    Tag.TileOffsets,
    Tag.TileByteCounts,
    Tag.SubIFDs,
    Tag.ExtraSamples,
    Tag.SampleFormat,
    Tag.JpegIFOffset,
    Tag.JpegIFByteCount,
    Tag.XMLPacket,
    Tag.InterColorProfile,
}
# What Pillow raises on values of unexpected types.
_EXIF_ERRORS = (AttributeError, KeyError, OSError, SyntaxError, TypeError, ValueError, struct.error)


def write(pixels: np.ndarray, file: BinaryIO, *, metadata: Metadata, cmyk: bool) -> list[str]:
    """Writes (H, W) or (H, W, 2–4), uint8 or uint16; four channels are RGB + alpha or CMYK.

    Returns:
      What could not be kept, one clause each.
    """
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, channels = pixels.shape
    rows = max(1, _STRIP_BYTES // (width * channels * pixels.itemsize))
    strips = [_compress(pixels[top : top + rows]) for top in range(0, height, rows)]
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    warnings = _describe(directory, metadata)
    color = 1 if channels < 3 else 3 + cmyk
    values: dict[int, Any] = {
        Tag.ImageWidth: width,
        Tag.ImageLength: height,
        Tag.BitsPerSample: (8 * pixels.itemsize,) * channels,
        Tag.Compression: _DEFLATE,
        Tag.PhotometricInterpretation: {1: _GRAY, 3: _RGB, 4: _CMYK}[color],
        Tag.SamplesPerPixel: channels,
        Tag.RowsPerStrip: rows,
        Tag.Predictor: _HORIZONTAL_DIFFERENCING,
        Tag.StripOffsets: tuple(int(x) for x in np.cumsum([0, *map(len, strips[:-1])])),
        Tag.StripByteCounts: tuple(map(len, strips)),
    }
    if channels > color:
        values[Tag.ExtraSamples] = _UNASSOCIATED_ALPHA
    for tag, value in values.items():
        directory[tag] = value
    directory.tagtype[Tag.StripOffsets] = directory.tagtype[Tag.StripByteCounts] = _LONG
    directory.save(file)  # adds its own size to the offsets
    for strip in strips:
        file.write(strip)
    return warnings


def _compress(rows: np.ndarray) -> bytes:
    """Returns horizontally differenced (section 14) and deflated rows."""
    differences = rows.astype(rows.dtype.newbyteorder("<"))
    differences[:, 1:] -= rows[:, :-1]
    compressor = zlib.compressobj(strategy=zlib.Z_RLE)  # see `writing._PNG_OPTIONS`
    return compressor.compress(differences.tobytes()) + compressor.flush()


def _describe(directory: TiffImagePlugin.ImageFileDirectory_v2, metadata: Metadata) -> list[str]:
    warnings: list[str] = []
    if metadata.exif:
        try:
            if not exif.is_readable(metadata.exif):
                raise ValueError("its first directory is incomplete")
            for tag, value in _writable_exif(metadata.exif, warnings).items():
                directory[tag] = value
        except _EXIF_ERRORS as error:
            warnings.append(f"its EXIF data is damaged and was dropped ({reason(error)})")
    if metadata.icc_profile:
        directory[Tag.InterColorProfile] = metadata.icc_profile
        directory.tagtype[Tag.InterColorProfile] = _UNDEFINED
    if metadata.xmp:
        directory[Tag.XMLPacket] = metadata.xmp
        directory.tagtype[Tag.XMLPacket] = _BYTE
    if metadata.density:
        directory[Tag.ResolutionUnit] = _INCH
        directory[Tag.XResolution], directory[Tag.YResolution] = metadata.density
    if comment := metadata.texts.get(COMMENT):
        if Tag.ImageDescription not in directory:
            directory[Tag.ImageDescription] = comment.encode()  # most readers assume UTF-8
        elif directory[Tag.ImageDescription] != comment:
            warnings.append(
                "TIFF has one description, already set by its EXIF data, so its comment was dropped"
            )
    return warnings


def _writable_exif(data: bytes, warnings: list[str]) -> dict[int, Any]:
    """Returns values by tag; raises one of `_EXIF_ERRORS` if Pillow cannot write a value."""
    parsed, copied = Image.Exif(), {}
    parsed.load(data)
    for tag in parsed:
        if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            ifd = dict(parsed.get_ifd(tag))
            if ExifTags.IFD.Interop in ifd:
                ifd[ExifTags.IFD.Interop] = parsed.get_ifd(ExifTags.IFD.Interop)
            copied[tag] = ifd
        elif tag not in _STORAGE_TAGS:
            copied[tag] = parsed[tag]
    trial = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in copied.items():
        trial[tag] = value
    trial.save(io.BytesIO())
    if parsed.get_ifd(ExifTags.IFD.IFD1):
        warnings.append("TIFF cannot hold its EXIF thumbnail, which was dropped")
    return copied
