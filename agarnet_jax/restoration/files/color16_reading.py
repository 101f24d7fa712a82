"""Reads 16-bit colour, which Pillow reduces to 8 bits.

Pillow's decoders undo compression, filters, predictors and interlacing of PNG and TIFF at any
depth; only the last step, the "raw mode", keeps just the high byte of each sample. A second pass
with the byte order swapped yields the low bytes. So no further library is needed: pypng (pure
Python) is slow and has not been updated since 2022, and the fast ones (imagecodecs, OpenCV) add
tens of megabytes.
"""

import re
import sys
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from PIL import ImageFile, PngImagePlugin, PpmImagePlugin, TiffImagePlugin
from PIL.ExifTags import Base as Tag

_GRAY_ALPHA_16 = "LA;16B"
_LITTLE_ENDIAN, _BIG_ENDIAN = ";16L", ";16B"
_MAX_HEADER_BYTES = 2**20  # within which formats state their bit depth
_AVIF_BITS = re.compile(rb"av1C..(.)", re.DOTALL)  # AV1 in ISOBMFF 1.3, §2.3.3
_JPEG_2000_BITS = re.compile(rb"\xff\x4f\xff\x51.{38}(.)", re.DOTALL)  # T.800, A.5.1
_SUPPORTED = ("RGB;16", "RGBA;16", "RGBX;16")


def is_color16(image: ImageFile.ImageFile) -> bool:
    """Returns whether an opened file has 16-bit colour (or gray + alpha) that Pillow would reduce.

    Raises:
      ValueError: it does, in a layout that cannot be read at full depth.
    """
    if not isinstance(image, PngImagePlugin.PngImageFile | TiffImagePlugin.TiffImageFile):
        return False
    raw_modes = {_raw_mode(tile) for tile in image.tile}
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = set(image.tag_v2.get(Tag.BitsPerSample, (1,)))
        if image.mode in ("L", "I;16", "I;16B", "I", "F") or bits != {16}:
            return False
        if image.tag_v2.get(Tag.PlanarConfiguration) == 2 or not all(
            m.startswith(_SUPPORTED) for m in raw_modes
        ):
            raise ValueError(
                "it stores 16-bit samples as separate planes, CMYK or premultiplied alpha, which "
                "is not supported; save it as contiguous RGB or RGBA"
            )
        return True
    return any(";16" in mode for mode in raw_modes) and image.mode != "I;16"


def read_color16(
    image: ImageFile.ImageFile, reopen: Callable[[], ImageFile.ImageFile]
) -> np.ndarray:
    """Returns the pixels (H, W, 2–4) uint16: gray + alpha, RGB or RGB + alpha.

    Args:
      image: the loaded file, which provides the high bytes.
      reopen: opens the file again, without loading it.
    """
    again = reopen()
    if _raw_mode(again.tile[0]) == _GRAY_ALPHA_16:  # both bytes of both samples, as four channels
        again.tile = [tile._replace(args="RGBA") for tile in again.tile]
        pairs = np.asarray(again).astype(np.uint16)
        return pairs[..., 0::2] << 8 | pairs[..., 1::2]
    again.tile = [_with_low_bytes(tile) for tile in again.tile]
    pixels = np.asarray(image).astype(np.uint16) << 8 | np.asarray(again)
    transparent = image.info.get("transparency")
    if isinstance(transparent, tuple):  # a single colour is transparent
        alpha = np.where((pixels == transparent).all(axis=-1), 0, 65535).astype(np.uint16)
        pixels = np.concatenate([pixels, alpha[..., None]], axis=-1)
    return pixels


def reduced_from(image: ImageFile.ImageFile, file: BinaryIO) -> int | None:
    """Returns the bits per sample of a file that Pillow reduces to 8; None if it keeps all bits.

    Args:
      image: opened from the file, not yet loaded.
      file: the file's contents. Only read, and its position changed, for formats that may lose
        bits: the plugins of some others, such as DDS, resume decoding where they stopped.
    """
    if image.mode.startswith("I"):
        return None
    if isinstance(image, PpmImagePlugin.PpmImageFile):
        arguments = image.tile[0].args
        highest = arguments[-1] if isinstance(arguments, tuple) else 255
        bits = 16 if isinstance(highest, int) and highest > 255 else 8
    elif image.format in ("AVIF", "JPEG2000", "SGI"):
        file.seek(0)
        bits = _header_bits(image.format, file.read(_MAX_HEADER_BYTES))
    else:
        return None
    return bits if bits > 8 else None


def _header_bits(format: str | None, header: bytes) -> int:
    if format == "AVIF" and (found := _AVIF_BITS.search(header)):
        return {2: 10, 3: 12}.get(found[1][0] >> 5 & 3, 8)
    if format == "JPEG2000" and (found := _JPEG_2000_BITS.search(header)):
        return (found[1][0] & 0x7F) + 1
    if format == "SGI":
        return 8 * header[3]
    return 8


def _raw_mode(tile: ImageFile._Tile) -> str:
    return tile.args if isinstance(tile.args, str) else str((tile.args or ("",))[0])


def _with_low_bytes(tile: ImageFile._Tile) -> ImageFile._Tile:
    """Returns the tile with its byte order swapped, so that it decodes to the low bytes."""
    mode = _raw_mode(tile)
    native = _LITTLE_ENDIAN if sys.byteorder == "little" else _BIG_ENDIAN
    mode = mode.replace(";16N", native)
    swapped = mode[:-4] + (_BIG_ENDIAN if mode.endswith(_LITTLE_ENDIAN) else _LITTLE_ENDIAN)
    arguments = swapped if isinstance(tile.args, str) else (swapped, *(tile.args or ())[1:])
    return tile._replace(args=arguments)
