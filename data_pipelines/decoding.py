"""Decodes image files to 8-bit gray or RGB."""

import io
import os
import stat

import numpy as np
from PIL import Image, UnidentifiedImageError

from agarnet_jax.color import LumaRange, luma

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")

_STRIP = 64  # luma is computed for this many rows at once, since float64 takes 32 bytes per pixel
_GRAY_MODES = ("1", "L", "LA", "La")
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # two TIFF tags and a value


class UnusableImageError(ValueError):
    """Raised for an image that cannot be used; the message gives the reason, not the file name."""


class UnreachableImageError(UnusableImageError):
    """Raised when the system fails to provide a file or memory; a later attempt may succeed."""


def image_size(file: bytes | str | os.PathLike[str]) -> tuple[int, int]:
    """Reads height and width from the header of an image file, given as bytes or path.

    Raises:
      UnusableImageError: the file cannot be read, is not an image, is empty, has several frames,
        or has gray values of unknown range.
    """
    with _open(file) as image:
        return image.height, image.width


def decode(file: bytes | str | os.PathLike[str]) -> np.ndarray:
    """Decodes an image file, given as bytes or path, to gray (H, W) or RGB (H, W, 3) uint8.

    Converts palettes, CMYK and alpha to RGB (alpha is dropped), and 12- and 16-bit gray to 8 bits.

    Raises:
      UnusableImageError: the image data is truncated or damaged, or `image_size` raises it.
    """
    with _open(file) as image:
        try:
            if image.mode.startswith("I;16"):
                return _decode_16_bit_gray(image)
            return np.asarray(image.convert("L" if image.mode in _GRAY_MODES else "RGB"))
        except MemoryError as error:
            raise UnreachableImageError("out of memory") from error
        except Exception as error:  # Pillow's decoders raise many types on damaged files
            raise UnusableImageError(f"broken: {error}") from error


def _decode_16_bit_gray(image: Image.Image) -> np.ndarray:
    """Returns uint8. Pillow keeps TIFF levels as stored, even 12-bit or white-is-zero ones."""
    tags = getattr(image, "tag_v2", {})
    peak = 2 ** tags.get(_BITS_PER_SAMPLE, (16,))[0] - 1
    levels = np.rint(np.asarray(image) * (255 / peak)).astype(np.uint8)
    return 255 - levels if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else levels


def as_luma(image: np.ndarray, luma_range: LumaRange) -> np.ndarray:
    """Returns the luma (H, W) uint8 of a decoded image; a gray image is returned unchanged."""
    if image.ndim == 2:
        return image
    gray = np.empty(image.shape[:2], np.uint8)
    for top in range(0, len(gray), _STRIP):
        rows = slice(top, top + _STRIP)
        gray[rows] = np.rint(luma(image[rows], luma_range=luma_range))
    return gray


def _open(file: bytes | str | os.PathLike[str]) -> Image.Image:
    try:
        if not isinstance(file, bytes) and not stat.S_ISREG(os.stat(file).st_mode):
            raise OSError("not a regular file")  # reading a pipe would block
        image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file)
    except UnidentifiedImageError as error:
        size = len(file) if isinstance(file, bytes) else os.path.getsize(file)
        raise UnusableImageError("not an image" if size else "empty file") from error
    except Exception as error:  # as in `decode`
        from_system = isinstance(error, OSError) and error.errno is not None
        error_type = UnreachableImageError if from_system else UnusableImageError
        raise error_type(f"unreadable: {error}") from error
    try:
        # A second image in a JPEG (MPO) is a preview or the other view of a stereo pair.
        has_several_frames = image.format != "MPO" and getattr(image, "n_frames", 1) > 1
    except Exception as error:  # counting frames parses more of the file
        image.close()
        raise UnusableImageError(f"broken: {error}") from error
    if has_several_frames:
        image.close()
        raise UnusableImageError("has several frames")
    if image.mode in ("I", "F"):  # TIFF files with signed, 32-bit or floating-point samples
        image.close()
        raise UnusableImageError(f"gray values of unknown range (Pillow's mode {image.mode})")
    return image
