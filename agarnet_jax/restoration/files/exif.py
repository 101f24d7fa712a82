"""EXIF data as bytes: read and reset the orientation, leave all else as the camera wrote it.

Writing EXIF data anew would move maker notes, whose inner offsets then point nowhere; so the few
values that must change are changed in place. The bytes are a TIFF structure (TIFF 6.0, section
2; CIPA DC-008 §4.5).
"""

import contextlib
import dataclasses
import struct
from collections.abc import Iterator

from PIL import Image

_ORIENTATION, _EXIF_FOLDER = 0x0112, 0x8769
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003
_SHORT, _LONG = 3, 4
# What brings a stored image upright, by its orientation tag.
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
    """One value of a folder (IFD): its tag, type, and where the value itself stands."""

    tag: int
    kind: int
    position: int


def orientation(exif: bytes) -> int:
    """1–8 as the EXIF data says; 1, upright, where it says nothing or nonsense."""
    try:
        for entry in _entries(exif, _first_folder(exif)):
            if entry.tag == _ORIENTATION and entry.kind == _SHORT:
                (value,) = struct.unpack_from(_order(exif) + "H", exif, entry.position)
                return value if value in UPRIGHT else 1
    except (struct.error, ValueError):  # damaged
        pass
    return 1


def is_readable(exif: bytes) -> bool:
    """Whether it begins as EXIF data does and its first folder is whole."""
    try:
        return bool(list(_entries(exif, _first_folder(exif))))
    except (struct.error, ValueError):
        return False


def made_upright(exif: bytes) -> bytes:
    """The EXIF data of an image that was turned as its orientation tag asks.

    The tag becomes 1, width and height change places where rows became columns, and a thumbnail,
    which was not turned, is no longer referred to.
    """
    turned = orientation(exif)
    if turned == 1:
        return exif
    result, order = bytearray(exif), _order(exif)
    first = _first_folder(exif)
    sides: dict[int, _Entry] = {}
    for entry in _whole_entries(exif, first):
        if entry.tag == _ORIENTATION:
            struct.pack_into(order + "H", result, entry.position, 1)
        elif entry.tag == _EXIF_FOLDER:
            sides = _sides(exif, struct.unpack_from(order + "I", exif, entry.position)[0])
    if turned >= 5 and len(sides) == 2:
        _exchange(result, order, sides)
    (count,) = struct.unpack_from(order + "H", exif, first)
    thumbnail = first + 2 + 12 * count  # where its folder is referred to
    if thumbnail + 4 <= len(result):
        struct.pack_into(order + "I", result, thumbnail, 0)
    return bytes(result)


def _sides(exif: bytes, folder: int) -> dict[int, _Entry]:
    wanted = (_PIXEL_WIDTH, _PIXEL_HEIGHT)
    return {
        entry.tag: entry
        for entry in _whole_entries(exif, folder)
        if entry.tag in wanted and entry.kind in (_SHORT, _LONG)
    }


def _exchange(result: bytearray, order: str, sides: dict[int, _Entry]) -> None:
    width, height = sides[_PIXEL_WIDTH], sides[_PIXEL_HEIGHT]
    if width.kind == height.kind:
        first, second = (result[e.position : e.position + 4] for e in (width, height))
        result[width.position : width.position + 4] = second
        result[height.position : height.position + 4] = first


def _order(exif: bytes) -> str:
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        raise ValueError("This is not EXIF data: it begins neither with II nor with MM.")
    return "<" if exif[:2] == b"II" else ">"


def _first_folder(exif: bytes) -> int:
    return struct.unpack_from(_order(exif) + "I", exif, 4)[0]


def _whole_entries(exif: bytes, folder: int) -> Iterator[_Entry]:
    """Those of a folder, as far as it is not cut off."""
    with contextlib.suppress(struct.error):
        yield from _entries(exif, folder)


def _entries(exif: bytes, folder: int) -> Iterator[_Entry]:
    order = _order(exif)
    (count,) = struct.unpack_from(order + "H", exif, folder)
    for position in range(folder + 2, folder + 2 + 12 * count, 12):
        tag, kind, _ = struct.unpack_from(order + "HHI4x", exif, position)
        yield _Entry(tag, kind, position + 8)
