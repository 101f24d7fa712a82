"""The formats that we write, and what they can hold."""

import dataclasses
import pathlib

from agarnet_jax.restoration.files.errors import InputError, shown


@dataclasses.dataclass(frozen=True)
class Format:
    """An image format that we write, and whose suffixes count in folders.

    name: as Pillow calls it. suffixes: the first is the one we give.
    modes: Pillow modes it holds; deep: whether it holds 16 bits a sample, too.
    largest_side: in pixels.
    """

    name: str
    suffixes: tuple[str, ...]
    modes: tuple[str, ...]
    deep: bool
    largest_side: int

    def check(self, path: pathlib.Path, *, size: tuple[int, int], bits: int | None) -> None:
        """Raises InputError unless it holds (width, height), and 16 bits where they are asked."""
        if max(size) > self.largest_side:
            raise InputError(
                f"{shown(path)} cannot be written: {self.name} holds sides of at most "
                f"{self.largest_side} pixels, the image has {size[0]}×{size[1]}; use PNG or TIFF."
            )
        if bits == 16 and not self.deep:
            raise InputError(
                f"{shown(path)} cannot be written with --bits 16: {self.name} holds 8 bits a "
                "sample; use PNG or TIFF."
            )


FORMATS = (
    Format("PNG", (".png",), ("L", "LA", "RGB", "RGBA"), True, 2**31 - 1),
    Format("WEBP", (".webp",), ("RGB", "RGBA"), False, 16383),
    Format("TIFF", (".tif", ".tiff"), ("L", "LA", "RGB", "RGBA", "CMYK"), True, 2**31 - 1),
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), ("L", "RGB", "CMYK", "YCbCr"), False, 65500),
    Format("BMP", (".bmp",), ("L", "RGB"), False, 2**31 - 1),
)
# Names of the command line.
BY_NAME = {format.name.lower(): format for format in FORMATS}
_BY_SUFFIX = {suffix: format for format in FORMATS for suffix in format.suffixes}
SUFFIXES = tuple(_BY_SUFFIX)


def of_kind(kind: str) -> Format | None:
    """The format of Pillow's name, if it is one of ours."""
    return next((format for format in FORMATS if format.name == kind), None)


def of_path(path: pathlib.Path) -> Format:
    """The format a file name's suffix chooses.

    Raises:
      InputError: none of ours.
    """
    try:
        return _BY_SUFFIX[path.suffix.lower()]
    except KeyError:
        raise InputError(
            f"{shown(path)} does not end in an image suffix; choose one of {', '.join(SUFFIXES)}."
        ) from None
