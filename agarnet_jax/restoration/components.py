"""An image as the components a JPEG stores, each at its own resolution, and the way back (NumPy).

Components are BT.601 luma and chroma in full range, as in JFIF (ITU-T T.871), the colours of
RGB-coded files, the inks of CMYK ones. Adobe's YCCK is luma and chroma of the inks, and black.
`splitting.py` makes them of an image.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from agarnet_jax.restoration import chroma_detail
from agarnet_jax.restoration.chroma_detail import Detail
from agarnet_jax.restoration.jpeg_header import Coding
from agarnet_jax.restoration.pixels import DTYPES, INTEGER_PEAKS, Pixels, encoded, strips
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.request import check_bits
from agarnet_jax.restoration.upsampling import Rows, Upsampling

CHROMA_MIDDLE = 128 / 255
_NEUTRAL = np.array([0, CHROMA_MIDDLE, CHROMA_MIDDLE], np.float32)

Change = tuple[Sequence[Plane], Rows]  # of planes of one shape


@dataclasses.dataclass(frozen=True, eq=False)
class Components:
    """The planes of an image, and the image they came from.

    planes: Y, Cb, Cr, or the only one of a gray image; R, G, B; C, M, Y, K; Y, Cb, Cr, K.
    coding: what these are.
    lead: the plane that stands for all where one must be chosen: luma, green or magenta.
    mode: Pillow's name of the result's channels.
    flat: whether the image came as (H, W), without an axis of channels.
    mixing: (color channels, planes), how a change of each plane changes each channel.
    rgb_of_ycbcr: whether the image came as YCbCr, and becomes RGB.
    """

    planes: tuple[Plane, ...]
    coding: Coding
    lead: Plane
    pixels: Pixels
    mode: str
    flat: bool
    mixing: np.ndarray
    rgb_of_ycbcr: bool

    @property
    def size(self) -> tuple[int, int]:
        height, width, _ = self.pixels.shape
        return height, width

    def merge(
        self, changes: Sequence[Change], *, bits: int | None = None, detail: Detail | None = None
    ) -> np.ndarray:
        """Returns the image with changes of its planes added, each read once from top to bottom.

        A change is brought to the image's size as libjpeg does. Without any the image stays as it
        is, not even rounded. Alpha is kept; YCbCr pictures become RGB.

        Args:
          changes: (planes of one shape, what reads the rows of their change (planes, rows, w)).
          bits: 8 or 16 for uint8 or uint16; None: as the image.
          detail: how much of the detail that luma shows is added to changed chroma that was
            subsampled (`chroma_detail.py`); None: nothing.

        Returns:
          (H, W) or (H, W, C), clipped and rounded.

        Raises:
          ValueError: bits the result cannot have.
        """
        result = None
        for rows, strip in self.strips(changes, bits=bits, detail=detail):
            if result is None:
                result = np.empty((*self.size, strip.shape[2]), strip.dtype)
            result[rows] = strip
        assert result is not None
        return result[..., 0] if self.flat else result

    def picture(self, changes: Sequence[Change], *, detail: Detail | None = None) -> Image.Image:
        """Does what `merge` does, to a Pillow picture of as many bits as the image."""
        result = Image.new(self.mode, self.size[::-1])
        for rows, strip in self.strips(changes, detail=detail):
            height, width, channels = strip.shape
            raw = np.ascontiguousarray(strip[..., 0] if channels == 1 else strip)
            piece = Image.frombytes(self.mode, (width, height), raw.tobytes())
            result.paste(piece, (0, rows.start))
        return result

    def strips(
        self, changes: Sequence[Change], *, bits: int | None = None, detail: Detail | None = None
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Yields what `merge` returns from top to bottom: rows and their pixels (rows, W, C)."""
        dtype = self._dtype(bits)
        numbers = {id(plane): i for i, plane in enumerate(self.planes)}
        reach = chroma_detail.REACH if detail else 1  # samples; upsampling alone takes the next one
        margin = reach * max(plane.upsampling.factors[0] for plane in self.planes)
        peak = np.float32(INTEGER_PEAKS.get(self.pixels.dtype, 1))
        for rows in strips(self.pixels.shape):
            raw = self.pixels.read(rows, slice(0, self.size[1]))
            if not (changes or self.rgb_of_ycbcr) and dtype == raw.dtype:
                yield rows, raw
                continue
            values = raw.astype(np.float32) / peak
            image = values[..., : len(self.mixing)]
            if self.rgb_of_ycbcr:
                image[...] = (image - _NEUTRAL) @ self.mixing.T
            near = slice(max(0, rows.start - margin), min(self.size[0], rows.stop + margin))
            held = [(planes, _held(read, planes[0].upsampling, near)) for planes, read in changes]
            for planes, read in held:
                change = planes[0].upsampling.rows(read, rows)
                if detail and planes[0].chroma and planes[0].upsampling.factors != (1, 1):
                    change = change + self._detail(planes, held, rows, near, detail)
                columns = [numbers[id(plane)] for plane in planes]
                image += np.moveaxis(change, 0, -1) @ self.mixing[:, columns].T
            yield rows, encoded(values, dtype)

    def _detail(
        self,
        chroma: Sequence[Plane],
        changes: Sequence[Change],
        rows: slice,
        near: slice,
        wanted: Detail,
    ) -> np.ndarray:
        """Returns what to add to restored chroma, (planes, rows, W). Reads rows `near` only."""

        def restored(planes: Sequence[Plane]) -> Rows:
            def read(first: int, last: int) -> np.ndarray:
                values = np.stack([plane[first:last, :] for plane in planes])
                for changed, change in changes:
                    for number, plane in enumerate(planes):
                        if plane in changed:
                            values[number] += change(first, last)[changed.index(plane)]
                return values

            return _held(read, planes[0].upsampling, near)

        luma = restored(self.planes[:1])
        added = chroma_detail.detail(
            restored(chroma),
            lambda first, last: luma(first, last)[0],
            chroma[0].upsampling,
            rows,
            wanted=wanted,
        )
        if chroma[0].table is not None:
            return added  # pixels of a file are what its decoder made
        reach = chroma_detail.TRUST_REACH
        around = slice(max(0, rows.start - reach), min(self.size[0], rows.stop + reach))
        strays = np.max([plane.strays(around) for plane in chroma], axis=0)
        missing = around.start - (rows.start - reach), rows.stop + reach - around.stop
        return added * chroma_detail.trust(np.pad(strays, (missing, (reach, reach))))

    def has_bits(self, bits: int | None) -> bool:
        """Whether the image has as many bits as asked for."""
        return self._dtype(bits) == self.pixels.dtype

    def _dtype(self, bits: int | None) -> np.dtype[Any]:
        if bits is None:
            return self.pixels.dtype
        check_bits(bits)
        if bits == 16 and self.mode == "CMYK":
            raise ValueError("A CMYK image cannot have 16 bits; use bits=8, or convert it to RGB.")
        return DTYPES[bits]


def _held(read: Rows, upsampling: Upsampling, rows: slice) -> Rows:
    """Reads what a component has for rows of the image, to be read again in any order."""
    factor = upsampling.factors[0]
    start, stop = rows.start // factor, -(-rows.stop // factor)
    values = read(start, stop)
    return lambda first, last: values[:, first - start : last - start]
