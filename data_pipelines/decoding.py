"""From the bytes of an image file to 8-bit gray or RGB."""

import io
import os
import stat

import numpy as np
from PIL import Image, UnidentifiedImageError

from agarnet_jax.color import LumaRange, luma

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")

_STRIP = 64  # rows whose luma is computed at a time: in float64, 32 bytes a pixel
_GRAY_MODES = ("1", "L", "LA", "La")
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # tags of TIFF


class UnusableImageError(ValueError):
    """An image that cannot be trained on; the message says why, without naming the file."""


class UnreachableImageError(UnusableImageError):
    """A file or memory that the system did not hand over; it may do so next time."""


def image_size(file: bytes | str | os.PathLike[str]) -> tuple[int, int]:
    """Reads height and width from the header of an image file (its bytes or its path).

    Raises:
      UnusableImageError: no image, empty, of several frames, or of values of unknown range.
    """
    with _open(file) as image:
        return image.height, image.width


def decode(file: bytes | str | os.PathLike[str]) -> np.ndarray:
    """Decodes an image file (its bytes or its path) to gray (H, W) or RGB (H, W, 3) uint8.

    Palettes, CMYK and alpha become RGB (alpha is dropped), gray of 12 and 16 bits becomes 8 bits.

    Raises:
      UnusableImageError: truncated, or as of `image_size`.
    """
    with _open(file) as image:
        try:
            if image.mode.startswith("I;16"):
                return _gray_of_16_bits(image)
            return np.asarray(image.convert("L" if image.mode in _GRAY_MODES else "RGB"))
        except MemoryError as error:
            raise UnreachableImageError("no memory to decode it") from error
        except Exception as error:  # Pillow's decoders raise many types on damaged files
            raise UnusableImageError(f"broken: {error}") from error


def _gray_of_16_bits(image: Image.Image) -> np.ndarray:
    """As uint8. Of TIFF files Pillow leaves levels as stored, of 12 bits and from white, too."""
    tags = getattr(image, "tag_v2", {})
    peak = 2 ** tags.get(_BITS_PER_SAMPLE, (16,))[0] - 1
    levels = np.rint(np.asarray(image) * (255 / peak)).astype(np.uint8)
    return 255 - levels if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else levels


def as_luma(image: np.ndarray, luma_range: LumaRange) -> np.ndarray:
    """Returns the luma (H, W) uint8 of a decoded image. Gray ones are taken as they are."""
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
            raise OSError("no regular file")  # a pipe would be waited for
        image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file)
    except UnidentifiedImageError as error:
        size = len(file) if isinstance(file, bytes) else os.path.getsize(file)
        raise UnusableImageError("not an image" if size else "empty file") from error
    except Exception as error:  # as in `decode`
        of_system = isinstance(error, OSError) and error.errno is not None
        kind = UnreachableImageError if of_system else UnusableImageError
        raise kind(f"unreadable: {error}") from error
    try:
        # A second picture in a JPEG (MPO) is a preview or the other eye's view.
        several = image.format != "MPO" and getattr(image, "n_frames", 1) > 1
    except Exception as error:  # counting them reads on in the file
        image.close()
        raise UnusableImageError(f"broken: {error}") from error
    if several:
        image.close()
        raise UnusableImageError("has several frames")
    if image.mode in ("I", "F"):  # TIFF's: signed, 32-bit or floating-point
        image.close()
        raise UnusableImageError(f"gray values of unknown range (Pillow's mode {image.mode})")
    return image
