"""Image files in: decoded as they were compressed, with all they say and what is wrong with them.

Loads no JAX, and may be called from several threads.
"""

import contextlib
import dataclasses
import os
import pathlib
import stat
import struct
import threading
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image, JpegImagePlugin, PpmImagePlugin, TiffImagePlugin, UnidentifiedImageError
from PIL.ImageFile import ImageFile as PillowFile

from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.restoration.files import deep_pixels, formats, truncation, turning
from agarnet_jax.restoration.files.errors import InputError, reason, shown
from agarnet_jax.restoration.files.metadata import Metadata
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader
from agarnet_jax.restoration.pixels import Picture

# 250 megapixels: more than any camera writes, and 0.75 GB of colour.
MAX_PIXELS = 250_000_000
_JPEG_MAGIC = b"\xff\xd8\xff"
_ORIENTATION, _BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 0x0112, 0x0102, 0x0106, 0
_IPTC = 0x0404  # among the resources of Photoshop in APP13
_SMOOTHED_ROWS = 2  # into which the decoder spreads the chroma of those below
_LOST_OF_TIFF = {
    "GeoTIFF": (33550, 33922, 34264, 34735, 34736, 34737),
    "IPTC": (33723,),
    "Photoshop": (34377,),
}
_PADDING = b"\0\t\n\r \xff\xd9"  # of a JPEG file; a second end of image counts as well
_PNG_BIT_DEPTH = 24  # where it stands in the file: signature, IHDR's head, width, height
_KEPT_MODES = ("LA", "RGB", "RGBA", "YCbCr", "CMYK")
_GRAY_MODES = ("1", "L", "I;16", "I;16B", "I;16L", "I;16N")
_FROM_12_BITS = np.round(np.arange(4096) * (65535 / 4095)).astype(np.uint16)
_CONVERSIONS = {"La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "PA": "RGBA", "HSV": "RGB"}
# What damaged files make decoders raise.
_DAMAGED = (OSError, ValueError, SyntaxError, TypeError, KeyError, struct.error, zlib.error)


@dataclasses.dataclass(frozen=True, eq=False)
class ImageFile:
    """A decoded image file.

    pixels: a loaded Pillow image of mode L, LA, RGB, RGBA, CMYK, I;16 or, of a JPEG file that
      codes it so, YCbCr (exact luma, before clipping to RGB); or, for 16-bit colour, an array
      (H, W, 2–4) uint16. They lie as the file stores them: the grid as it was compressed, the
      orientation not applied.
    metadata: all else it holds.
    kind: "JPEG", "PNG", … as Pillow names formats.
    warnings: what was converted, is missing or could not be kept; a sentence each.
    header: of a JPEG file, how it is coded.
    """

    pixels: Picture
    metadata: Metadata
    kind: str
    warnings: tuple[str, ...]
    header: JpegHeader | None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as stored."""
        if isinstance(self.pixels, np.ndarray):
            return self.pixels.shape[1], self.pixels.shape[0]
        return self.pixels.size

    def first_component(self) -> np.ndarray:
        """(H, W) uint8, of a JPEG file: luma, or the first of what it is coded as, as decoded."""
        assert isinstance(self.pixels, Image.Image)
        return np.asarray(self.pixels.getchannel(0))


def read(path: pathlib.Path, *, max_pixels: int = MAX_PIXELS, strict: bool = False) -> ImageFile:
    """Opens and decodes an image file.

    Args:
      path: a file of any format Pillow reads; its contents count, not its name.
      max_pixels: larger images are refused before they are decoded.
      strict: refuses a truncated JPEG file; otherwise what decodes of it comes with a warning.

    Raises:
      InputError: no such file, not an image, damaged, animated, too large, or strictly refused.
    """
    check_is_file(path)
    with _named_errors(path), open(path, "rb") as file:
        if file.read(3) == _JPEG_MAGIC:
            image, header, warnings = _read_jpeg(file, path, max_pixels=max_pixels, strict=strict)
            pixels: Picture = image
            metadata = Metadata.of(image)
        else:
            image = _opened(file)
            _check(image, path, max_pixels)
            orientation = _applied_orientation(image)
            header, warnings = None, []
            pixels = turning.as_stored(
                _other_pixels(image, file, warnings), orientation=orientation
            )
            metadata = Metadata.of(image, orientation=orientation)
    suffix, kind = path.suffix.lower(), image.format or "unknown"
    if suffix and _is_misleading(suffix, kind):
        warnings.insert(0, f"it is a {kind} file, whatever its suffix {suffix!r} says")
    return ImageFile(pixels, metadata, kind, tuple(warnings), header)


def _is_misleading(suffix: str, kind: str) -> bool:
    known = formats.of_kind(kind)
    return suffix in formats.SUFFIXES if known is None else suffix not in known.suffixes


def check_is_file(path: pathlib.Path) -> None:
    """Raises InputError unless there is a file of some bytes; a pipe would be waited for."""
    with _named_errors(path):
        status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{shown(path)} is a folder; give an image file.")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{shown(path)} is a device or pipe; give an image file.")
    if status.st_size == 0:
        raise InputError(f"{shown(path)} is empty (0 bytes), not an image; copy it again.")


@contextlib.contextmanager
def _named_errors(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{shown(path)} does not exist.") from None
    except PermissionError:
        raise InputError(f"{shown(path)} cannot be read: you have no permission.") from None
    except UnidentifiedImageError:
        raise InputError(f"{shown(path)} is not an image that Pillow can read.") from None
    except MemoryError:
        raise InputError(f"{shown(path)} does not fit into memory; crop or split it.") from None
    except _DAMAGED as error:
        # Which speak of bytes, buffers and drivers.
        if isinstance(error.__cause__ or error, (struct.error, IndexError, SyntaxError)):
            raise InputError(f"{shown(path)} is damaged or cut off; copy it again.") from None
        remedy = "" if isinstance(error, ValueError) else "; copy it again, it may be damaged"
        raise InputError(f"{shown(path)} cannot be read: {reason(error)}{remedy}.") from None


def _read_jpeg(
    file: BinaryIO, path: pathlib.Path, *, max_pixels: int, strict: bool
) -> tuple[Image.Image, JpegHeader, list[str]]:
    """The picture, YCbCr where it is coded so, its header, and warnings."""
    image, header = _opened_jpeg(file)
    _check(image, path, max_pixels)
    warnings = []
    if "mp" in image.info:
        warnings.append("it holds further pictures (MPF), of which none is restored or kept")
    if _IPTC in image.info.get("photoshop", {}):
        warnings.append("its IPTC data is not kept")
    if any(b"http://ns.adobe.com/xmp/extension/" in part[:40] for _, part in image.applist):
        warnings.append("its XMP data is longer than 64 KB and kept only in part")
    file.seek(0)
    contents = file.read()
    extent = truncation.Extent.of(contents)
    behind = b"" if extent.end is None else contents[extent.end :]
    if behind.strip(_PADDING) and "mp" not in image.info:
        warnings.append(
            f"{len(behind):,} bytes behind its end, such as a film or another picture, are not kept"
        )
    try:
        with _pillow_unlimited(image):
            image.load()
        if extent.end is None:  # zeros, perhaps, of a download that broke off
            contents = contents.rstrip(b"\0")
        elif extent.has_all_scans and not _lacks_rows(image, header, contents, extent=extent):
            return image, header, warnings
    except OSError as error:
        if "truncated" not in str(error):
            raise
    if strict:
        raise InputError(f"{shown(path)} is truncated; copy it again, or leave out --strict.")
    image, _ = _opened_jpeg(truncation.completed(contents))
    with _pillow_unlimited(image):
        image.load()
    warnings.append(truncation.described(image))
    return image, header, warnings


def _lacks_rows(
    image: Image.Image, header: JpegHeader, contents: bytes, *, extent: truncation.Extent
) -> bool:
    """Whether a sequential file's data ends before its rows, though it has an end of image."""
    if header.progressive or extent.arithmetic or extent.end is None:
        return False  # whose data may be shorter than what is cut off
    unit = BLOCK * max(vertical for _, vertical in header.sampling)
    rows = truncation.rows_before_gray(image, unit=unit) - _SMOOTHED_ROWS
    if rows <= 0:
        return False
    shorter, _ = _opened_jpeg(truncation.without_last_bytes(contents, end=extent.end))
    with _pillow_unlimited(shorter):
        shorter.load()
    return not np.array_equal(np.asarray(shorter)[:rows], np.asarray(image)[:rows])


def _opened_jpeg(file: BinaryIO) -> tuple[JpegImagePlugin.JpegImageFile, JpegHeader]:
    file.seek(0)
    # Not by Image.open, which would make a multi-picture file of some photos.
    image = JpegImagePlugin.JpegImageFile(file)
    header = JpegHeader.of(image)
    if header.coding is Coding.YCBCR:
        image.draft("YCbCr", None)
    return image, header


def _opened(file: BinaryIO) -> PillowFile:
    file.seek(0)
    with _pillow_unlimited():
        image = Image.open(file)
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _ORIENTATION not in image.tag_v2:
        image.getexif().pop(_ORIENTATION, None)  # of XMP, by which Pillow turns TIFF alone
    return image


_LIMIT = threading.RLock()  # files may be opened while one is loaded


@contextlib.contextmanager
def _pillow_unlimited(image: Image.Image | None = None) -> Iterator[None]:
    """Lifts Pillow's limit on pixels, a setting of the whole process, in favour of ours.

    For loading `image`, only if it needs it: others load at the same time.
    """
    limit = Image.MAX_IMAGE_PIXELS
    if image is not None and (limit is None or image.width * image.height <= limit):
        yield
        return
    with _LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _check(image: Image.Image, path: pathlib.Path, max_pixels: int) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise InputError(f"{shown(path)} holds an image of {width}×{height} pixels.")
    if width * height > max_pixels:
        raise InputError(
            f"{shown(path)} has {width}×{height} = {width * height:,} pixels, more than "
            f"{max_pixels:,}; if you trust it, allow them with --max-pixels {width * height}."
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and not isinstance(image, JpegImagePlugin.JpegImageFile):
        raise InputError(
            f"{shown(path)} is animated or has pages ({frames} images); save one as a file."
        )


def _applied_orientation(image: Image.Image) -> int:
    """What Pillow will turn the picture by while loading it."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return image.getexif().get(_ORIENTATION, 1)
    return 1


def _other_pixels(image: PillowFile, file: BinaryIO, warnings: list[str]) -> Picture:
    """The pixels of a file that is not a JPEG; the image is loaded."""
    deep, netpbm = deep_pixels.is_deep(image), isinstance(image, PpmImagePlugin.PpmImageFile)
    if bits := deep_pixels.reduced_from(image, file):
        warnings.append(f"its colours of {bits} bits were converted to 8")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        lost = [
            name for name, tags in _LOST_OF_TIFF.items() if any(t in image.tag_v2 for t in tags)
        ]
        if lost:
            warnings.append(f"its {', '.join(lost)} data is not kept")
    with _pillow_unlimited(image):
        image.load()
        if deep:
            return deep_pixels.read_deep(image, lambda: _opened(file))
        if image.mode in _GRAY_MODES or (netpbm and image.mode == "I"):
            return _gray(image, file, warnings)
        return _in_kept_mode(image, warnings)


def _gray(image: PillowFile, file: BinaryIO, warnings: list[str]) -> Picture:
    """Returns gray of 8 or 16 bits, with alpha where one level is transparent."""
    transparent = image.info.get("transparency")
    if image.mode == "L" and transparent is None:
        return image
    if image.mode == "1":
        warnings.append("its two tones were converted to gray")
    deep = image.mode not in ("1", "L")
    levels = np.asarray(image.convert("L") if image.mode == "1" else image)
    levels = levels.astype(np.uint16 if deep else np.uint8)
    peak = np.iinfo(levels.dtype).max
    if _has_12_bits(image):
        levels = _FROM_12_BITS[levels]
    if deep and _is_white_zero(image):
        levels = peak - levels
    if not isinstance(transparent, int):
        return Image.fromarray(levels)
    if image.format == "PNG" and image.mode != "1":  # the level is as the file has it
        file.seek(_PNG_BIT_DEPTH)
        transparent = transparent * peak // (2 ** file.read(1)[0] - 1)
    alpha = np.where(levels == transparent, 0, peak).astype(levels.dtype)
    pixels = np.stack([levels, alpha], axis=-1)
    return pixels if deep else Image.fromarray(pixels)


def _has_12_bits(image: PillowFile) -> bool:
    """Whether it is gray of a TIFF file whose levels, up to 4095, Pillow leaves as they are."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    return image.tag_v2.get(_BITS_PER_SAMPLE) == (12,)


def _is_white_zero(image: PillowFile) -> bool:
    """Whether a TIFF file counts from white to black, which Pillow minds in 8 bits only."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    return image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO


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
        raise ValueError(f"its pixels are of kind {mode!r}; save it as gray or RGB of 8 or 16 bits")
    return image
