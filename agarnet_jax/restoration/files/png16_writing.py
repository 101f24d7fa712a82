"""Writes 16-bit colour PNG files, which Pillow cannot (PNG, third edition, §9–11).

Pillow writes all chunks but the pixels, from a one-pixel template, so that both depths carry the
same metadata.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

_SIGNATURE_BYTES = 8
_STRIP_BYTES = 2**20
_MODES = {2: "LA", 3: "RGB", 4: "RGBA"}


def write(pixels: np.ndarray, file: BinaryIO, **options: Any) -> None:
    """Writes (H, W, 2–4) uint16: gray + alpha, RGB or RGB + alpha.

    options: as `PIL.Image.Image.save` takes them for PNG.
    """
    height, width, channels = pixels.shape
    template = io.BytesIO()
    Image.new(_MODES[channels], (1, 1)).save(template, "PNG", **options)
    contents = template.getvalue()
    file.write(contents[:_SIGNATURE_BYTES])
    for kind, data in _chunks(contents):
        if kind == b"IHDR":
            _write_chunk(file, kind, struct.pack(">IIB", width, height, 16) + data[9:])
        elif kind == b"IDAT":
            for part in _compress(pixels):
                _write_chunk(file, kind, part)
        else:
            _write_chunk(file, kind, data)


def _chunks(contents: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = _SIGNATURE_BYTES
    while position < len(contents):
        length, kind = struct.unpack_from(">I4s", contents, position)
        yield kind, contents[position + 8 : position + 8 + length]
        position += 12 + length


def _write_chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + kind + data)
    file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))))


def _compress(pixels: np.ndarray) -> Iterator[bytes]:
    """Yields the filtered and deflated rows in parts."""
    height, width, channels = pixels.shape
    pixel_bytes = 2 * channels
    rows = max(1, _STRIP_BYTES // (width * pixel_bytes))
    compressor = zlib.compressobj(strategy=zlib.Z_RLE)  # see `writing._PNG_OPTIONS`
    above = np.zeros((1, width * pixel_bytes), np.uint8)
    for top in range(0, height, rows):
        strip = pixels[top : top + rows].astype(">u2").reshape(-1, width * channels).view(np.uint8)
        part = compressor.compress(_filter(strip, above, pixel_bytes).tobytes())
        if part:
            yield part
        above = strip[-1:]
    yield compressor.flush()


def _filter(strip: np.ndarray, above: np.ndarray, pixel_bytes: int) -> np.ndarray:
    """Returns (R, 1 + bytes) uint8: rows by the filter with the least absolute sum (§12.7)."""
    x = strip.astype(np.int16)
    b = np.concatenate([above, strip[:-1]]).astype(np.int16)
    a, c = (np.pad(rows, ((0, 0), (pixel_bytes, 0)))[:, :-pixel_bytes] for rows in (x, b))
    to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
    nearest = np.where(to_b <= to_c, b, c)
    paeth = np.where((to_a <= to_b) & (to_a <= to_c), a, nearest)
    predictions = (0, a, b, (a + b) >> 1, paeth)
    candidates = np.stack([(x - prediction).astype(np.uint8) for prediction in predictions])
    costs = np.abs(candidates.view(np.int8).astype(np.int16)).sum(axis=2, dtype=np.int64)
    best = costs.argmin(axis=0)
    chosen = candidates[best, np.arange(len(strip))]
    return np.concatenate([best.astype(np.uint8)[:, None], chosen], axis=1)
