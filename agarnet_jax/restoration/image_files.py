"""Image files in and out. Every failure is an `InputError` with one line for the user."""

import os
import pathlib
import tempfile

import numpy as np
from PIL import Image, UnidentifiedImageError

OUTPUT_SUFFIXES = (".png", ".webp", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")


class InputError(Exception):
    """What the user gave cannot be used; the message says what, why and what would."""


def read(path: pathlib.Path) -> Image.Image:
    """Opens and decodes an image file."""
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder; give an image file.")
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except FileNotFoundError:
        raise InputError(f"{str(path)!r} does not exist.") from None
    except UnidentifiedImageError:
        raise InputError(f"{str(path)!r} is not an image that Pillow can read.") from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{str(path)!r} is too large: {error}") from None
    except (OSError, ValueError, SyntaxError) as error:  # what damaged files make decoders raise
        raise InputError(f"{str(path)!r} cannot be read: {error}.") from None


def luma_table(image: Image.Image) -> np.ndarray:
    """The (8, 8) quantization table of a JPEG file's first component."""
    tables = getattr(image, "quantization", None)
    if not tables:
        raise InputError(
            "Only a JPEG file has a header that states a quality; use --quality auto or a number."
        )
    return np.array(tables[min(tables)]).reshape(8, 8)


def check_output(path: pathlib.Path, *, source: pathlib.Path) -> None:
    """Raises InputError unless `path` can be written and is not the input."""
    if path.suffix.lower() not in OUTPUT_SUFFIXES:
        raise InputError(
            f"{str(path)!r} does not end in an image suffix; choose one of "
            f"{', '.join(OUTPUT_SUFFIXES)}."
        )
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder; give a file name for the output.")
    if not path.parent.is_dir():
        raise InputError(f"The folder {str(path.parent)!r} does not exist; create it first.")
    if path.exists() and source.exists() and path.samefile(source):
        raise InputError(f"{str(path)!r} is the input; give another name for the output.")


def write(image: Image.Image, path: pathlib.Path, *, like: Image.Image) -> None:
    """Writes `image`, whole or not at all, with the ICC profile and EXIF data of `like`."""
    options: dict[str, object] = {
        key: like.info[key] for key in ("icc_profile", "exif") if like.info.get(key)
    }
    suffix = path.suffix.lower()
    if suffix == ".webp":
        options["lossless"] = True
    elif suffix in (".jpg", ".jpeg"):
        options |= {"quality": 95, "subsampling": "4:4:4"}
        image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    try:
        handle, temporary = tempfile.mkstemp(suffix=suffix, dir=path.parent, prefix=".agarnet-")
        try:
            with os.fdopen(handle, "wb") as file:
                image.save(file, Image.registered_extensions()[suffix], **options)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be written: {error}.") from None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
