"""Truncated JPEG files: how they are detected, and what can still be decoded."""

import dataclasses
import io
import re

import numpy as np
from PIL import Image

_END_OF_IMAGE = b"\xff\xd9"
# 0xFF before other bytes belongs to the coded data instead of starting a segment (T.81, B.1.1.2).
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_TEM, _SOI, _EOI, _SOS = 0x01, 0xD8, 0xD9, 0xDA
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = (0xC2, 0xCA)
_LAST_HUFFMAN_FRAME = 0xC7
_REMOVED_BYTES = 4
_MIN_GRAY_PIXELS = 32 * 64  # 32 blocks, whose Huffman codes (≥ 2 bits) exceed `_REMOVED_BYTES`


@dataclasses.dataclass(frozen=True)
class Extent:
    """How much of a JPEG file is present, according to its segments.

    end: the position after its end-of-image marker, in bytes; None if that is missing.
    has_all_scans: whether the scans cover all bits of every coefficient of every component.
    arithmetic: whether it uses arithmetic instead of Huffman coding.
    """

    end: int | None
    has_all_scans: bool
    arithmetic: bool

    @classmethod
    def of(cls, contents: bytes) -> "Extent":
        """Parses the segments of a file, without decoding its image data."""
        missing: dict[int, set[int]] = {}  # coefficients, by component
        position, progressive, arithmetic = 2, False, False
        while match := _MARKER.search(contents, position):
            marker, position = match[1][0], match.end()
            if marker == _EOI:
                return cls(position, not any(missing.values()), arithmetic)
            if marker in (_TEM, _SOI):
                continue
            segment = contents[
                position : position + int.from_bytes(contents[position : position + 2])
            ]
            position += len(segment)
            if marker in _FRAMES:
                progressive, arithmetic = marker in _PROGRESSIVE, marker > _LAST_HUFFMAN_FRAME
                missing = {component: set(range(64)) for component in segment[8::3]}
            elif marker == _SOS and len(segment) >= 8:
                first, last, bits = segment[-3:] if progressive else (0, 63, 0)
                if bits & 0x0F == 0:  # down to the last bit
                    for component in segment[3:-3:2]:
                        missing.get(component, set()).difference_update(range(first, last + 1))
        return cls(None, not any(missing.values()), arithmetic)


def rows_before_gray(image: Image.Image, *, unit: int) -> int:
    """Returns the number of rows above the gray rows at the end, which may be missing ones.

    0 if there are too few gray rows to tell. unit: how many rows are coded together.
    """
    gray = _gray_rows(image)
    if gray < unit or gray * image.width < _MIN_GRAY_PIXELS:
        return 0
    return image.height - gray


def without_last_bytes(contents: bytes, *, end: int) -> io.BytesIO:
    """Returns the file without the last few bytes of its image data.

    If the gray rows at the end are missing ones, the data ended above them, and the rows there now
    decode differently.
    """
    return with_end_of_image(contents[: end - len(_END_OF_IMAGE) - _REMOVED_BYTES])


def with_end_of_image(contents: bytes) -> io.BytesIO:
    """Returns the file with an end-of-image marker; decoders fill missing data with middle gray.

    A segment that is cut off, such as a table of a later scan, is removed first.
    """
    return io.BytesIO(contents[: _end_of_complete_segments(contents)] + _END_OF_IMAGE)


def _end_of_complete_segments(contents: bytes) -> int:
    *_, last = _MARKER.finditer(contents)
    length = int.from_bytes(contents[last.end() : last.end() + 2])
    needed = last.end() + max(2, length)
    return len(contents) if needed <= len(contents) else last.start()


def describe(image: Image.Image) -> str:
    """Describes what an image decoded from `with_end_of_image` lacks.

    Raises:
      ValueError: all of it is missing.
    """
    height = image.height
    missing = _gray_rows(image)
    if missing == height:
        raise ValueError("it is truncated before the first row of pixels")
    if missing:
        return (
            f"it is truncated: rows {height - missing + 1} to {height} of {height} are missing "
            "and filled with gray"
        )
    return "it is truncated: the last rows or, if it is progressive, fine details are missing"


def _gray_rows(image: Image.Image) -> int:
    """Returns how many rows at the end are entirely middle gray."""
    last = np.asarray(image.getpixel((image.width - 1, image.height - 1)))
    if np.abs(last - 128).max() > 1:  # 127 if inverted, as in CMYK
        return 0
    pixels = np.asarray(image)
    differs = (pixels != pixels[-1, -1]).reshape(len(pixels), -1).any(axis=1)
    return len(pixels) - 1 - int(np.flatnonzero(differs)[-1]) if differs.any() else len(pixels)
