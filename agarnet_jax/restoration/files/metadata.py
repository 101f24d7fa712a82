"""What files say beside their pixels: taken from one, given to another."""

import dataclasses
import re
import struct

from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from agarnet_jax.restoration.files import exif as exif_data

_EXIF_PREFIX = b"Exif\0\0"
_IMAGEMAGICK_EXIF = "Raw profile type exif"  # a text of PNG: name, length, hexadecimal digits
COMMENT = "Comment"
_ORIENTATION, _X_DENSITY = 274, 282
_MAX_DENSITY = 65535  # what every format holds
# Tags of a TIFF file that describe the picture, not how the file stores it (TIFF 6.0, section 8).
_DESCRIBING_TAGS = (270, 271, 272, 305, 306, 315, 316, 33432, 34665, 34853)
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))\s*[2-8]")


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What a file says beside its pixels; empty where it says nothing.

    exif: EXIF data from its byte order mark on.
    icc_profile, xmp: as they stand in the file.
    density: pixels an inch (horizontal, vertical).
    texts: by keyword, as PNG files have them; a JPEG file's comment is "Comment".
    """

    exif: bytes = b""
    icc_profile: bytes = b""
    xmp: bytes = b""
    density: tuple[float, float] | None = None
    texts: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, image: Image.Image, *, orientation: int = 1) -> "Metadata":
        """Takes the metadata of a picture that was opened from a file and loaded.

        orientation: of a TIFF file, where Pillow removes it while loading.
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
        """How the stored pixels lie, 1–8 as EXIF defines it."""
        return exif_data.orientation(self.exif)

    def made_upright(self) -> "Metadata":
        """That of the picture turned as `orientation` asks: the tags then say upright."""
        if self.orientation == 1:
            return self
        density = self.density
        if density is not None and self.orientation >= 5:
            density = density[1], density[0]
        return dataclasses.replace(
            self,
            exif=exif_data.made_upright(self.exif),
            xmp=_XMP_ORIENTATION.sub(rb"\g<1>1", self.xmp),
            density=density,
        )


def _exif(image: Image.Image, orientation: int) -> bytes:
    stored = image.info.get("exif")
    if isinstance(stored, bytes) and stored:
        return stored.removeprefix(_EXIF_PREFIX)
    try:
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            return _exif_of_tiff(image, orientation)
        if _IMAGEMAGICK_EXIF in image.info:
            lines = image.info[_IMAGEMAGICK_EXIF].split("\n")[3:]
            return bytes.fromhex("".join(lines)).removeprefix(_EXIF_PREFIX)
    except (struct.error, SyntaxError, TypeError, ValueError, KeyError):  # damaged
        pass
    return b""


def _exif_of_tiff(image: TiffImagePlugin.TiffImageFile, orientation: int) -> bytes:
    described, kept = image.getexif(), Image.Exif()
    if orientation != 1:
        kept[_ORIENTATION] = orientation
    for tag in _DESCRIBING_TAGS:
        if tag in described:
            folder = described.get_ifd(tag) if tag in (34665, 34853) else None
            kept[tag] = folder or described[tag]
    return kept.tobytes().removeprefix(_EXIF_PREFIX) if len(kept) else b""


def _density(image: Image.Image) -> tuple[float, float] | None:
    info = image.info
    if isinstance(image, JpegImagePlugin.JpegImageFile) and info.get("jfif_unit") not in (1, 2):
        return None  # Pillow then makes up 72, or reads EXIF data, which is carried anyway
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _X_DENSITY not in image.tag_v2:
        return None  # Pillow makes up 1
    try:
        horizontal, vertical = (float(value) for value in info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    meant = all(1 <= density <= _MAX_DENSITY for density in (horizontal, vertical))
    return (horizontal, vertical) if meant else None


def _texts(image: Image.Image) -> dict[str, str]:
    if isinstance(image, PngImagePlugin.PngImageFile):
        hidden = ("XML:com.adobe.xmp", _IMAGEMAGICK_EXIF)
        return {key: str(value) for key, value in image.text.items() if key not in hidden}
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        comments = [contents for name, contents in image.applist if name == "COM"]
    else:
        comments = [image.info["comment"]] if "comment" in image.info else []
    texts = [text for text in map(_decoded, comments) if text]
    return {COMMENT: "\n".join(texts)} if texts else {}


def _decoded(comment: bytes | str) -> str:
    if isinstance(comment, str):
        return comment
    try:
        text = comment.decode("utf-8")
    except UnicodeDecodeError:
        text = comment.decode("latin-1")
    return text.rstrip("\0")


def _as_bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
