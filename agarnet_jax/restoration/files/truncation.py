"""JPEG files that end too early: what decodes of them."""

import io

import numpy as np
from PIL import Image

_END_OF_IMAGE = b"\xff\xd9"
# Bytes after 0xFF that are part of the coded data, not the beginning of a segment (T.81, B.1.1.2).
_IN_DATA = (0x00, 0xFF, *range(0xD0, 0xD8))


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
    pixels = np.asarray(image)
    if np.abs(pixels[-1, -1].astype(int) - 128).max() > 1:  # inverted, as CMYK is, it is 127
        return 0
    differs = (pixels != pixels[-1, -1]).reshape(len(pixels), -1).any(axis=1)
    return len(pixels) - 1 - int(np.flatnonzero(differs)[-1]) if differs.any() else len(pixels)
