"""The image formats that can be written, and what they support."""

import dataclasses
import pathlib

from agarnet_jax.restoration.files.errors import InputError, quoted


@dataclasses.dataclass(frozen=True)
class Format:
    """An image format that can be written, and whose files are found in folders.

    name: Pillow's name. suffixes: the first is used for new files. modes: supported Pillow modes.
    supports_16_bits: whether samples may have 16 bits as well. largest_side: in pixels.
    """

    name: str
    suffixes: tuple[str, ...]
    modes: tuple[str, ...]
    supports_16_bits: bool
    largest_side: int

    def check(self, path: pathlib.Path, *, size: tuple[int, int], bits: int | None) -> None:
        """Raises InputError if the format cannot hold (width, height) or the requested bits."""
        if max(size) > self.largest_side:
            raise InputError(
                f"{quoted(path)} cannot be written: {self.name} images have at most "
                f"{self.largest_side} pixels a side, this one is {size[0]}×{size[1]}; use PNG or "
                "TIFF."
            )
        if bits == 16 and not self.supports_16_bits:
            raise InputError(
                f"{quoted(path)} cannot be written with --bits 16: {self.name} has 8 bits per "
                "sample; use PNG or TIFF."
            )


FORMATS = (
    Format("PNG", (".png",), ("L", "LA", "RGB", "RGBA"), True, 2**31 - 1),
    Format("WEBP", (".webp",), ("RGB", "RGBA"), False, 16383),
    Format("TIFF", (".tif", ".tiff"), ("L", "LA", "RGB", "RGBA", "CMYK"), True, 2**31 - 1),
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), ("L", "RGB", "CMYK", "YCbCr"), False, 65500),
    Format("BMP", (".bmp",), ("L", "RGB"), False, 2**31 - 1),
)
# By the names used on the command line.
BY_NAME = {format.name.lower(): format for format in FORMATS}
_BY_SUFFIX = {suffix: format for format in FORMATS for suffix in format.suffixes}
SUFFIXES = tuple(_BY_SUFFIX)


def of_kind(kind: str) -> Format | None:
    """Returns the format with Pillow's name `kind`, or None if it cannot be written."""
    return BY_NAME.get(kind.lower())


def of_path(path: pathlib.Path) -> Format:
    """Returns the format that a file name's suffix chooses.

    Raises:
      InputError: the suffix is none of `SUFFIXES`.
    """
    try:
        return _BY_SUFFIX[path.suffix.lower()]
    except KeyError:
        raise InputError(
            f"{quoted(path)} has no suffix of a supported image format; use one of "
            f"{', '.join(SUFFIXES)}."
        ) from None
