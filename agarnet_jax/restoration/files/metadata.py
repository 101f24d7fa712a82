"""Image metadata: read from one file, to be written to another."""

import dataclasses
import re
import struct

from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin
from PIL.ExifTags import IFD
from PIL.ExifTags import Base as Tag

from agarnet_jax.restoration.files import exif as exif_data

_EXIF_PREFIX = b"Exif\0\0"
_IMAGEMAGICK_EXIF = "Raw profile type exif"  # a PNG text: name, length, hexadecimal digits
COMMENT = "Comment"
_MAX_DENSITY = 65535  # the largest that every format holds
# TIFF tags that describe the image, not how the file stores it (TIFF 6.0, section 8).
_DESCRIPTIVE_TAGS = (
    Tag.ImageDescription,
    Tag.Make,
    Tag.Model,
    Tag.Software,
    Tag.DateTime,
    Tag.Artist,
    Tag.HostComputer,
    Tag.Copyright,
    IFD.Exif,
    IFD.GPSInfo,
)
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))\s*[2-8]")


@dataclasses.dataclass(frozen=True)
class Metadata:
    """A file's metadata; fields are empty where the file has none.

    exif: EXIF data, starting at the byte order mark.
    icc_profile, xmp: the bytes stored in the file.
    density: pixels per inch (horizontal, vertical).
    texts: by keyword, as in PNG files; a JPEG file's comment is "Comment".
    """

    exif: bytes = b""
    icc_profile: bytes = b""
    xmp: bytes = b""
    density: tuple[float, float] | None = None
    texts: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, image: Image.Image, *, orientation: int = 1) -> "Metadata":
        """Returns the metadata of an image that was opened from a file and loaded.

        orientation: of a TIFF file, whose tag Pillow removes while loading.
        """
        info = image.info
        return cls(
            exif=_exif(image, orientation),
            icc_profile=info.get("icc_profile") or b"",
            xmp=_as_bytes(info.get("xmp") or b""),
            density=_density(image),
            texts=_texts(image),
        )

    @property
    def orientation(self) -> int:
        """The EXIF orientation of the stored pixels, 1–8."""
        return exif_data.orientation(self.exif)

    def reset_orientation(self) -> "Metadata":
        """Returns the metadata for the image after its orientation has been applied."""
        if self.orientation == 1:
            return self
        density = self.density
        if density is not None and self.orientation >= 5:
            density = density[1], density[0]
        return dataclasses.replace(
            self,
            exif=exif_data.reset_orientation(self.exif),
            xmp=_XMP_ORIENTATION.sub(rb"\g<1>1", self.xmp),
            density=density,
        )


def _exif(image: Image.Image, orientation: int) -> bytes:
    stored = image.info.get("exif")
    if isinstance(stored, bytes) and stored:
        return stored.removeprefix(_EXIF_PREFIX)
    try:
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            return _tiff_exif(image, orientation)
        if _IMAGEMAGICK_EXIF in image.info:
            lines = image.info[_IMAGEMAGICK_EXIF].split("\n")[3:]
            return bytes.fromhex("".join(lines)).removeprefix(_EXIF_PREFIX)
    except (struct.error, SyntaxError, TypeError, ValueError, KeyError):  # damaged
        pass
    return b""


def _tiff_exif(image: TiffImagePlugin.TiffImageFile, orientation: int) -> bytes:
    stored, kept = image.getexif(), Image.Exif()
    if orientation != 1:
        kept[Tag.Orientation] = orientation
    for tag in _DESCRIPTIVE_TAGS:
        if tag in stored:
            ifd = stored.get_ifd(tag) if tag in (IFD.Exif, IFD.GPSInfo) else None
            kept[tag] = ifd or stored[tag]
    return kept.tobytes().removeprefix(_EXIF_PREFIX) if len(kept) else b""


def _density(image: Image.Image) -> tuple[float, float] | None:
    info = image.info
    if isinstance(image, JpegImagePlugin.JpegImageFile) and info.get("jfif_unit") not in (1, 2):
        return None  # Pillow defaults to 72, or reads it from the EXIF data, which is kept anyway
    if isinstance(image, TiffImagePlugin.TiffImageFile) and Tag.XResolution not in image.tag_v2:
        return None  # Pillow defaults to 1
    try:
        horizontal, vertical = (float(value) for value in info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    is_plausible = all(1 <= density <= _MAX_DENSITY for density in (horizontal, vertical))
    return (horizontal, vertical) if is_plausible else None


def _texts(image: Image.Image) -> dict[str, str]:
    if isinstance(image, PngImagePlugin.PngImageFile):
        kept_elsewhere = ("XML:com.adobe.xmp", _IMAGEMAGICK_EXIF)
        return {key: str(value) for key, value in image.text.items() if key not in kept_elsewhere}
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        comments = [contents for name, contents in image.applist if name == "COM"]
    else:
        comments = [image.info["comment"]] if "comment" in image.info else []
    texts = [text for text in map(_decode, comments) if text]
    return {COMMENT: "\n".join(texts)} if texts else {}


def _decode(comment: bytes | str) -> str:
    if isinstance(comment, str):
        return comment
    try:
        text = comment.decode("utf-8")
    except UnicodeDecodeError:
        text = comment.decode("latin-1")
    return text.rstrip("\0")


def _as_bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
