"""Merges changes of components into their image, strip by strip (NumPy)."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from agarnet_jax.restoration import chroma_detail
from agarnet_jax.restoration.chroma_detail import Detail
from agarnet_jax.restoration.components import CHROMA_ZERO, Change, Components
from agarnet_jax.restoration.pixels import INTEGER_PEAKS, pixels_of_blocks, strips, to_dtype
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.upsampling import RowReader, Upsampling, read_padded

_NEUTRAL_YCBCR = np.array([0, CHROMA_ZERO, CHROMA_ZERO], np.float32)


def merge(
    components: Components,
    changes: Sequence[Change],
    *,
    bits: int | None = None,
    detail: Detail | None = None,
    unchanged: np.ndarray | None = None,
) -> np.ndarray:
    """Returns the image with changes of its components added, (H, W) or (H, W, C).

    Changes are upsampled as in libjpeg; the result is clipped and rounded. Without changes, the
    image stays exactly as it is. Alpha is kept; YCbCr images become RGB.

    Args:
      components: of the image.
      changes: each is read once from top to bottom.
      bits: 8 or 16 for uint8 or uint16; None: as the image.
      detail: how much of luma's detail is added to changed chroma that was subsampled
        (`chroma_detail.py`); None: nothing.
      unchanged: (⌈H / 8⌉, ⌈W / 8⌉) boolean, blocks of pixels that stay as they are.

    Raises:
      ValueError: a number of bits that the result cannot have.
    """
    dtype = components.result_dtype(bits)
    result = None
    for rows, strip in _merged_strips(components, changes, dtype, detail, unchanged):
        if result is None:
            result = np.empty((*components.size, strip.shape[2]), strip.dtype)
        result[rows] = strip
    assert result is not None
    return result[..., 0] if components.is_2d else result


def merge_to_pillow(
    components: Components,
    changes: Sequence[Change],
    *,
    detail: Detail | None = None,
    unchanged: np.ndarray | None = None,
) -> Image.Image:
    """Like `merge`, but returns a Pillow image of as many bits as the image."""
    result = Image.new(components.mode, components.size[::-1])
    dtype = components.pixels.dtype
    for rows, strip in _merged_strips(components, changes, dtype, detail, unchanged):
        height, width, channels = strip.shape
        raw = np.ascontiguousarray(strip[..., 0] if channels == 1 else strip)
        part = Image.frombytes(components.mode, (width, height), raw.tobytes())
        result.paste(part, (0, rows.start))
    return result


def _merged_strips(
    components: Components,
    changes: Sequence[Change],
    dtype: np.dtype[Any],
    detail: Detail | None,
    unchanged: np.ndarray | None,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields rows and their merged pixels (rows, W, C), from top to bottom."""
    pixels, mixing, (height, width) = components.pixels, components.mixing, components.size
    reach = chroma_detail.REACH if detail else 1  # samples; upsampling alone reads the next one
    margin = reach * max(plane.upsampling.factors[0] for plane in components.planes)
    peak = np.float32(INTEGER_PEAKS.get(pixels.dtype, 1))
    for rows in strips(pixels.shape):
        raw = pixels.read(rows, slice(0, width))
        if not (changes or components.from_ycbcr) and dtype == raw.dtype:
            yield rows, raw
            continue
        values = raw.astype(np.float32) / peak
        colors = values[..., : len(mixing)]
        if components.from_ycbcr:
            colors[...] = (colors - _NEUTRAL_YCBCR) @ mixing.T
        nearby = slice(max(0, rows.start - margin), min(height, rows.stop + margin))
        buffered = [
            (planes, _buffer_rows(read, planes[0].upsampling, nearby)) for planes, read in changes
        ]
        for planes, read in buffered:
            change = planes[0].upsampling.apply(read, rows)
            if detail and planes[0].chroma and planes[0].upsampling.factors != (1, 1):
                change = change + _detail(components, planes, buffered, rows, nearby, detail)
            indices = [components.planes.index(plane) for plane in planes]
            of_colors = np.moveaxis(change, 0, -1) @ mixing[:, indices].T
            if unchanged is not None:
                of_colors[pixels_of_blocks(unchanged, rows, slice(0, width))] = 0
            colors += of_colors
        yield rows, to_dtype(values, dtype)


def _detail(
    components: Components,
    chroma: Sequence[Plane],
    changes: Sequence[Change],
    rows: slice,
    nearby: slice,
    settings: Detail,
) -> np.ndarray:
    """Returns the detail to add to restored chroma, (planes, rows, W); reads rows `nearby` only."""

    def restored(planes: Sequence[Plane]) -> RowReader:
        def read(first: int, last: int) -> np.ndarray:
            values = np.stack([plane[first:last, :] for plane in planes])
            for changed, change in changes:
                for index, plane in enumerate(planes):
                    if plane in changed:
                        values[index] += change(first, last)[changed.index(plane)]
            return values

        return _buffer_rows(read, planes[0].upsampling, nearby)

    luma = restored(components.planes[:1])
    detail = chroma_detail.detail_from_luma(
        restored(chroma),
        lambda first, last: luma(first, last)[0],
        chroma[0].upsampling,
        rows,
        settings=settings,
    )
    if chroma[0].table is not None:
        return detail  # a decoder upsampled all of a file's chroma: nothing was pasted in
    return detail * _trust(chroma, rows)


def _trust(chroma: Sequence[Plane], rows: slice) -> np.ndarray:
    """Returns the fraction of the detail to add, (rows, W); see `chroma_detail.trust`."""

    def residual(first: int, last: int) -> np.ndarray:
        return np.max([plane.upsampling_residual(slice(first, last)) for plane in chroma], axis=0)

    height, margin = chroma[0].upsampling.size[0], chroma_detail.TRUST_REACH
    return chroma_detail.trust(
        read_padded(residual, rows, count=height, margin=margin, mode="constant")
    )


def _buffer_rows(read: RowReader, upsampling: Upsampling, rows: slice) -> RowReader:
    """Reads a component at rows of the image once, so that they can be read again in any order."""
    factor = upsampling.factors[0]
    start, stop = rows.start // factor, -(-rows.stop // factor)
    values = read(start, stop)
    return lambda first, last: values[:, first - start : last - start]
