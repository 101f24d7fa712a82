"""EXIF data as bytes: reads and resets the orientation, leaves all else as the camera wrote it.

Re-encoding EXIF data would move maker notes and break the offsets inside them, so the few values
that must change are patched in place. The bytes form a TIFF structure (TIFF 6.0, section 2; CIPA
DC-008 §4.5).
"""

import contextlib
import dataclasses
import struct
from collections.abc import Iterator

from PIL import Image
from PIL.ExifTags import IFD
from PIL.ExifTags import Base as Tag

_SHORT, _LONG = 3, 4
# The transpose that brings a stored image upright, by its orientation tag.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclasses.dataclass(frozen=True)
class _Entry:
    """An entry of an image file directory (IFD): its tag, type, and the position of its value."""

    tag: int
    kind: int
    position: int


def orientation(exif: bytes) -> int:
    """Returns the orientation, 1–8; 1 (upright) if the tag is missing or invalid."""
    try:
        for entry in _entries(exif, _first_ifd(exif)):
            if entry.tag == Tag.Orientation and entry.kind == _SHORT:
                (value,) = struct.unpack_from(_byte_order(exif) + "H", exif, entry.position)
                return value if value in UPRIGHT else 1
    except (struct.error, ValueError):  # damaged
        pass
    return 1


def is_readable(exif: bytes) -> bool:
    """Returns whether the data begins as EXIF does and its first IFD is complete and not empty."""
    try:
        return bool(list(_entries(exif, _first_ifd(exif))))
    except (struct.error, ValueError):
        return False


def reset_orientation(exif: bytes) -> bytes:
    """Returns the EXIF data for the image after its orientation has been applied.

    The tag becomes 1, width and height are swapped if rows became columns, and the reference to the
    thumbnail, which was not rotated, is removed.
    """
    applied = orientation(exif)
    if applied == 1:
        return exif
    result, order = bytearray(exif), _byte_order(exif)
    first = _first_ifd(exif)
    sides: dict[int, _Entry] = {}
    for entry in _complete_entries(exif, first):
        if entry.tag == Tag.Orientation:
            struct.pack_into(order + "H", result, entry.position, 1)
        elif entry.tag == IFD.Exif:
            sides = _sides(exif, struct.unpack_from(order + "I", exif, entry.position)[0])
    if applied >= 5 and len(sides) == 2:
        _swap(result, sides[Tag.ExifImageWidth], sides[Tag.ExifImageHeight])
    (count,) = struct.unpack_from(order + "H", exif, first)
    thumbnail_pointer = first + 2 + 12 * count  # to the next IFD, which describes the thumbnail
    if thumbnail_pointer + 4 <= len(result):
        struct.pack_into(order + "I", result, thumbnail_pointer, 0)
    return bytes(result)


def _sides(exif: bytes, ifd: int) -> dict[int, _Entry]:
    return {
        entry.tag: entry
        for entry in _complete_entries(exif, ifd)
        if entry.tag in (Tag.ExifImageWidth, Tag.ExifImageHeight) and entry.kind in (_SHORT, _LONG)
    }


def _swap(result: bytearray, width: _Entry, height: _Entry) -> None:
    if width.kind == height.kind:
        first, second = (result[e.position : e.position + 4] for e in (width, height))
        result[width.position : width.position + 4] = second
        result[height.position : height.position + 4] = first


def _byte_order(exif: bytes) -> str:
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        raise ValueError("EXIF data must begin with II or MM.")
    return "<" if exif[:2] == b"II" else ">"


def _first_ifd(exif: bytes) -> int:
    return struct.unpack_from(_byte_order(exif) + "I", exif, 4)[0]


def _complete_entries(exif: bytes, ifd: int) -> Iterator[_Entry]:
    """Yields the entries before the point where the data is truncated, if it is."""
    with contextlib.suppress(struct.error):
        yield from _entries(exif, ifd)


def _entries(exif: bytes, ifd: int) -> Iterator[_Entry]:
    order = _byte_order(exif)
    (count,) = struct.unpack_from(order + "H", exif, ifd)
    for position in range(ifd + 2, ifd + 2 + 12 * count, 12):
        tag, kind, _ = struct.unpack_from(order + "HHI4x", exif, position)
        yield _Entry(tag, kind, position + 8)
