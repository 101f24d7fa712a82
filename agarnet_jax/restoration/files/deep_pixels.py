"""All 16 bits of colour files, which Pillow reduces to 8.

Pillow's decoders undo compression, filters, predictors and interlacing of PNG and TIFF for any
depth; only its last step, the "raw mode", keeps the high byte of each sample. Decoding a second
time with the bytes' order exchanged gives the low bytes. So no further library is needed: the
pure Python one for PNG (pypng) is slow and rests since 2022, the fast ones (imagecodecs,
OpenCV) are tens of megabytes.
"""

import re
import sys
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from PIL import ImageFile, PngImagePlugin, PpmImagePlugin, TiffImagePlugin

_ALPHA_FROM_GRAY = "LA;16B"
_LITTLE, _BIG = ";16L", ";16B"
_BITS_PER_SAMPLE, _PLANAR = 258, 284
_MOST_HEAD_BYTES = 2**20  # in which formats say how deep they are
_BITS_OF_AVIF = re.compile(rb"av1C..(.)", re.DOTALL)  # AV1 in ISOBMFF 1.3, §2.3.3
_BITS_OF_JPEG_2000 = re.compile(rb"\xff\x4f\xff\x51.{38}(.)", re.DOTALL)  # T.800, A.5.1
_SUPPORTED = ("RGB;16", "RGBA;16", "RGBX;16")


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether an opened file holds 16-bit colour (or gray + alpha) that Pillow would reduce.

    Raises:
      ValueError: it does, in a way that cannot be read whole.
    """
    if not isinstance(image, PngImagePlugin.PngImageFile | TiffImagePlugin.TiffImageFile):
        return False
    raw_modes = {_raw_mode(tile) for tile in image.tile}
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = set(image.tag_v2.get(_BITS_PER_SAMPLE, (1,)))
        if image.mode in ("L", "I;16", "I;16B", "I", "F") or bits != {16}:
            return False
        if image.tag_v2.get(_PLANAR) == 2 or not all(m.startswith(_SUPPORTED) for m in raw_modes):
            raise ValueError(
                "it holds 16-bit samples as separate planes, CMYK or premultiplied alpha; save it "
                "as contiguous RGB or RGBA"
            )
        return True
    return any(";16" in mode for mode in raw_modes) and image.mode != "I;16"


def read_deep(image: ImageFile.ImageFile, opened: Callable[[], ImageFile.ImageFile]) -> np.ndarray:
    """The pixels (H, W, 2–4) uint16: gray + alpha, RGB or RGB + alpha.

    Args:
      image: the file, loaded: its high bytes.
      opened: opens it anew, without loading it.
    """
    again = opened()
    if _raw_mode(again.tile[0]) == _ALPHA_FROM_GRAY:  # both bytes of both samples, as four
        again.tile = [tile._replace(args="RGBA") for tile in again.tile]
        pairs = np.asarray(again).astype(np.uint16)
        return pairs[..., 0::2] << 8 | pairs[..., 1::2]
    again.tile = [_of_low_bytes(tile) for tile in again.tile]
    pixels = np.asarray(image).astype(np.uint16) << 8 | np.asarray(again)
    transparent = image.info.get("transparency")
    if isinstance(transparent, tuple):  # one colour is transparent, all others are not
        alpha = np.where((pixels == transparent).all(axis=-1), 0, 65535).astype(np.uint16)
        pixels = np.concatenate([pixels, alpha[..., None]], axis=-1)
    return pixels


def reduced_from(image: ImageFile.ImageFile, file: BinaryIO) -> int | None:
    """How many bits a sample has in a file of which Pillow keeps 8; None where it keeps all.

    Args:
      image: opened from the file, not yet loaded.
      file: its contents. Only of formats that may lose bits is it read, and its position changed:
        plugins of some others, as DDS, go on where they stopped.
    """
    if image.mode.startswith("I"):
        return None
    if isinstance(image, PpmImagePlugin.PpmImageFile):
        arguments = image.tile[0].args
        highest = arguments[-1] if isinstance(arguments, tuple) else 255
        bits = 16 if isinstance(highest, int) and highest > 255 else 8
    elif image.format in ("AVIF", "JPEG2000", "SGI"):
        file.seek(0)
        bits = _stated_bits(image.format, file.read(_MOST_HEAD_BYTES))
    else:
        return None
    return bits if bits > 8 else None


def _stated_bits(format: str | None, head: bytes) -> int:
    if format == "AVIF" and (found := _BITS_OF_AVIF.search(head)):
        return {2: 10, 3: 12}.get(found[1][0] >> 5 & 3, 8)
    if format == "JPEG2000" and (found := _BITS_OF_JPEG_2000.search(head)):
        return (found[1][0] & 0x7F) + 1
    if format == "SGI":
        return 8 * head[3]
    return 8


def _raw_mode(tile: ImageFile._Tile) -> str:
    return tile.args if isinstance(tile.args, str) else str((tile.args or ("",))[0])


def _of_low_bytes(tile: ImageFile._Tile) -> ImageFile._Tile:
    mode = _raw_mode(tile)
    native = _LITTLE if sys.byteorder == "little" else _BIG
    mode = mode.replace(";16N", native)
    swapped = mode[:-4] + (_BIG if mode.endswith(_LITTLE) else _LITTLE)
    arguments = swapped if isinstance(tile.args, str) else (swapped, *(tile.args or ())[1:])
    return tile._replace(args=arguments)
