"""Reads image files: pixels as stored, metadata, and warnings about what is wrong with them.

Loads no JAX. Thread-safe.
"""

import contextlib
import dataclasses
import os
import pathlib
import stat
import struct
import zlib
from collections.abc import Iterator

from PIL import UnidentifiedImageError

from agarnet_jax.restoration.files import formats, jpeg_reading, non_jpeg_reading
from agarnet_jax.restoration.files.decoding_limits import MAX_PIXELS
from agarnet_jax.restoration.files.errors import InputError, quoted, reason
from agarnet_jax.restoration.files.image_file import ImageFile

# What decoders raise on damaged files.
_DECODING_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    struct.error,
    zlib.error,
)


def read(path: pathlib.Path, *, max_pixels: int = MAX_PIXELS, strict: bool = False) -> ImageFile:
    """Opens and decodes an image file.

    Args:
      path: a file of any format that Pillow reads, which is detected from its contents.
      max_pixels: larger images are refused before they are decoded.
      strict: refuse truncated JPEG files; otherwise what can be decoded is returned with a warning.

    Raises:
      InputError: the file does not exist, is not an image, is damaged, animated or too large, or is
        truncated and `strict` is set.
    """
    check_is_file(path)
    with _errors_for_user(path), open(path, "rb") as file:
        if file.read(len(jpeg_reading.MAGIC)) == jpeg_reading.MAGIC:
            image_file = jpeg_reading.read(file, path, max_pixels=max_pixels, strict=strict)
        else:
            image_file = non_jpeg_reading.read(file, path, max_pixels=max_pixels)
    suffix, kind = path.suffix.lower(), image_file.kind
    if suffix and _is_misleading(suffix, kind):
        warning = f"it is a {kind} file despite its suffix {suffix!r}"
        return dataclasses.replace(image_file, warnings=(warning, *image_file.warnings))
    return image_file


def _is_misleading(suffix: str, kind: str) -> bool:
    known = formats.of_kind(kind)
    return suffix in formats.SUFFIXES if known is None else suffix not in known.suffixes


def check_is_file(path: pathlib.Path) -> None:
    """Raises InputError unless `path` is a non-empty regular file; reading a pipe would block."""
    with _errors_for_user(path):
        status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{quoted(path)} is a folder; give an image file.")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{quoted(path)} is a device or pipe; give an image file.")
    if status.st_size == 0:
        raise InputError(f"{quoted(path)} is empty (0 bytes); copy it again.")


@contextlib.contextmanager
def _errors_for_user(path: pathlib.Path) -> Iterator[None]:
    """Turns errors from the system and from decoders into messages for the user."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{quoted(path)} does not exist; check the path.") from None
    except PermissionError:
        raise InputError(
            f"{quoted(path)} cannot be read: permission denied; change its permissions."
        ) from None
    except UnidentifiedImageError:
        raise InputError(f"{quoted(path)} is not an image that Pillow can read.") from None
    except MemoryError:
        raise InputError(f"{quoted(path)} does not fit into memory; crop or split it.") from None
    except _DECODING_ERRORS as error:
        # Their messages are about bytes and buffers, which does not help users.
        if isinstance(error.__cause__ or error, (struct.error, IndexError, SyntaxError)):
            raise InputError(f"{quoted(path)} is damaged or truncated; copy it again.") from None
        remedy = "" if isinstance(error, ValueError) else "; it may be damaged, copy it again"
        raise InputError(f"{quoted(path)} cannot be read: {reason(error)}{remedy}.") from None
