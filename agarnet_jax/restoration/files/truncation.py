"""JPEG files that end too early: how that shows, and what decodes of them."""

import dataclasses
import io
import re

import numpy as np
from PIL import Image

_END_OF_IMAGE = b"\xff\xd9"
# Bytes after 0xFF that are part of the coded data, not the beginning of a segment (T.81, B.1.1.2).
_IN_DATA = (0x00, 0xFF, *range(0xD0, 0xD8))
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_TEM, _SOI, _EOI, _SOS = 0x01, 0xD8, 0xD9, 0xDA
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = (0xC2, 0xCA)
_LAST_HUFFMAN = 0xC7  # frame
_LAST_BYTES = 4
_GRAY_PIXELS = 32 * 64  # whose Huffman codes, at least two bits a block, are longer


@dataclasses.dataclass(frozen=True)
class Extent:
    """How far a JPEG file goes.

    end: where its end of image ends, in bytes; None where it has none.
    has_all_scans: whether it sends every coefficient of every component to its last bit.
    arithmetic: whether it is coded arithmetically, not by Huffman's codes.
    """

    end: int | None
    has_all_scans: bool
    arithmetic: bool

    @classmethod
    def of(cls, contents: bytes) -> "Extent":
        """Reads the segments of a file; its coded data is not decoded."""
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
                progressive, arithmetic = marker in _PROGRESSIVE, marker > _LAST_HUFFMAN
                missing = {component: set(range(64)) for component in segment[8::3]}
            elif marker == _SOS and len(segment) >= 8:
                first, last, bits = segment[-3:] if progressive else (0, 63, 0)
                if bits & 0x0F == 0:  # all of them
                    for component in segment[3:-3:2]:
                        missing.get(component, set()).difference_update(range(first, last + 1))
        return cls(None, not any(missing.values()), arithmetic)


def rows_before_gray(image: Image.Image, *, unit: int) -> int:
    """How many rows there are before gray ones, which may be missing; 0: too few gray ones to tell.

    unit: how many rows are coded together.
    """
    gray = _gray_rows(image)
    if gray < unit or gray * image.width < _GRAY_PIXELS:
        return 0
    return image.height - gray


def without_last_bytes(contents: bytes, *, end: int) -> io.BytesIO:
    """The file without a little of the data at its end.

    Where gray rows are missing, those before them then decode differently: the data ended there.
    """
    return completed(contents[: end - len(_END_OF_IMAGE) - _LAST_BYTES])


def completed(contents: bytes) -> io.BytesIO:
    """The file with an end of image; the decoder fills what is missing with middle gray.

    Where it breaks off in a segment, such as a table of a later scan, that is left out.
    """
    return io.BytesIO(contents[: _end_of_whole_segments(contents)] + _END_OF_IMAGE)


def _end_of_whole_segments(contents: bytes) -> int:
    position = len(contents)
    while (position := contents.rfind(b"\xff", 0, position)) >= 0:
        following = contents[position + 1 : position + 2]
        if following and following[0] not in _IN_DATA:
            length = int.from_bytes(contents[position + 2 : position + 4])
            whole = position + 4 <= len(contents) and position + 2 + length <= len(contents)
            return len(contents) if whole else position
    return len(contents)


def described(image: Image.Image) -> str:
    """Says in a sentence what a picture decoded from a `completed` file lacks.

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
            "and gray"
        )
    return "it is truncated: the last rows or, of a progressive file, fine details are missing"


def _gray_rows(image: Image.Image) -> int:
    """How many rows at the end are middle gray throughout."""
    last = np.asarray(image.getpixel((image.width - 1, image.height - 1)))
    if np.abs(last - 128).max() > 1:  # inverted, as CMYK is, it is 127
        return 0
    pixels = np.asarray(image)
    differs = (pixels != pixels[-1, -1]).reshape(len(pixels), -1).any(axis=1)
    return len(pixels) - 1 - int(np.flatnonzero(differs)[-1]) if differs.any() else len(pixels)
