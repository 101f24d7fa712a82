"""Reads JPEG files, also truncated ones, in the colour space they are coded in."""

import pathlib
from typing import BinaryIO

import numpy as np
from PIL import Image, JpegImagePlugin

from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.restoration.files import decoding_limits, truncation
from agarnet_jax.restoration.files.errors import InputError, quoted
from agarnet_jax.restoration.files.image_file import ImageFile
from agarnet_jax.restoration.files.metadata import Metadata
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader

MAGIC = b"\xff\xd8\xff"
_IPTC = 0x0404  # a Photoshop resource in APP13
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/"
_PADDING = b"\0\t\n\r \xff\xd9"  # may follow the end of image, as may a second end of image
_SMOOTHED_ROWS = 2  # above missing rows, into which the decoder blends the chroma below


def read(file: BinaryIO, path: pathlib.Path, *, max_pixels: int, strict: bool) -> ImageFile:
    """Reads an open JPEG file; arguments and errors are those of `reading.read`."""
    image, header = _open(file)
    decoding_limits.check(image, path, max_pixels=max_pixels)
    file.seek(0)
    contents = file.read()
    extent = truncation.Extent.of(contents)
    warnings = _unkept_data(image, contents, extent)
    try:
        _load(image)
        is_complete = (
            extent.end is not None
            and extent.has_all_scans
            and not _lacks_rows(image, header, contents, extent)
        )
        if extent.end is None:  # zeros at the end may come from an interrupted download
            contents = contents.rstrip(b"\0")
    except OSError as error:
        if "truncated" not in str(error):
            raise
        is_complete = False
    if not is_complete:
        if strict:
            raise InputError(f"{quoted(path)} is truncated; copy it again, or omit --strict.")
        image, _ = _open(truncation.with_end_of_image(contents))
        _load(image)
        warnings.append(truncation.describe(image))
    return ImageFile(image, Metadata.of(image), image.format or "unknown", tuple(warnings), header)


def _open(file: BinaryIO) -> tuple[JpegImagePlugin.JpegImageFile, JpegHeader]:
    file.seek(0)
    # Not by Image.open, which returns a multi-picture file for some photos.
    image = JpegImagePlugin.JpegImageFile(file)
    header = JpegHeader.of(image)
    if header.coding is Coding.YCBCR:
        image.draft("YCbCr", None)
    return image, header


def _load(image: Image.Image) -> None:
    with decoding_limits.without_pillow_limit(image):
        image.load()


def _unkept_data(
    image: JpegImagePlugin.JpegImageFile, contents: bytes, extent: truncation.Extent
) -> list[str]:
    """Returns a warning for each kind of data that is not copied to the output."""
    warnings = []
    if "mp" in image.info:
        warnings.append("it contains further images (MPF), which are neither restored nor kept")
    if _IPTC in image.info.get("photoshop", {}):
        warnings.append("its IPTC data is not kept")
    if any(_EXTENDED_XMP in segment[:40] for _, segment in image.applist):
        warnings.append("its XMP data exceeds 64 KB; only the first 64 KB are kept")
    trailing = b"" if extent.end is None else contents[extent.end :]
    if trailing.strip(_PADDING) and "mp" not in image.info:
        warnings.append(
            f"{len(trailing):,} bytes after the end of the image, such as a video or another "
            "image, are not kept"
        )
    return warnings


def _lacks_rows(
    image: Image.Image, header: JpegHeader, contents: bytes, extent: truncation.Extent
) -> bool:
    """Returns whether a sequential file's data ends before its last row despite an end of image.

    If so, the rows above the gray ones depend on the last bytes of data; otherwise they do not.
    """
    if header.progressive or extent.arithmetic or extent.end is None:
        return False  # gray rows may take fewer bytes than are removed below
    unit = BLOCK * max(vertical for _, vertical in header.sampling)
    rows = truncation.rows_before_gray(image, unit=unit) - _SMOOTHED_ROWS
    if rows <= 0:
        return False
    shorter, _ = _open(truncation.without_last_bytes(contents, end=extent.end))
    _load(shorter)
    return not np.array_equal(np.asarray(shorter)[:rows], np.asarray(image)[:rows])
