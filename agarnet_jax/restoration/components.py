"""An image as the components a JPEG stores, each at its own resolution, and the way back (NumPy).

Components are BT.601 luma and chroma in full range, as in JFIF (ITU-T T.871), the colours of
RGB-coded files, the inks of CMYK ones. Adobe's YCCK is luma and chroma of the inks, and black.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from agarnet_jax import color
from agarnet_jax.restoration import chroma_detail
from agarnet_jax.restoration.chroma_detail import Detail
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader
from agarnet_jax.restoration.pixels import (
    DTYPES,
    INTEGER_PEAKS,
    ArrayPixels,
    PicturePixels,
    Pixels,
    encoded,
    readable,
    strips,
)
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.traces.subsampling import Subsampling, find_subsampling, saturated
from agarnet_jax.restoration.upsampling import Rows, Upsampling

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # of arrays, by channels
_COLOR_CHANNELS = {"L": 1, "LA": 1, "I;16": 1, "RGB": 3, "RGBA": 3, "YCbCr": 3, "CMYK": 4}
_CODINGS = {1: (Coding.GRAY,), 3: (Coding.YCBCR, Coding.RGB), 4: (Coding.CMYK, Coding.YCCK)}
_MIDDLE = 128 / 255  # of chroma
_NEUTRAL = np.array([0, _MIDDLE, _MIDDLE], np.float32)

Change = tuple[Sequence[Plane], Rows]  # of planes of one shape


@dataclasses.dataclass(frozen=True, eq=False)
class Components:
    """The planes of an image, and the image they came from.

    planes: Y, Cb, Cr, or the only one of a gray image; R, G, B; C, M, Y, K; Y, Cb, Cr, K.
    lead: the plane to look at for what holds for all: luma, green or magenta.
    mode: Pillow's name of the result's channels.
    """

    planes: tuple[Plane, ...]
    lead: Plane
    pixels: Pixels
    mode: str
    _flat: bool  # the image came as (H, W)
    _change: np.ndarray  # (color channels, planes): of the image by that of planes
    _rgb_of_ycbcr: bool  # the image came as YCbCr

    @property
    def size(self) -> tuple[int, int]:
        height, width, _ = self.pixels.shape
        return height, width

    def merge(
        self,
        restored: Sequence[np.ndarray | None],
        *,
        bits: int | None = None,
        detail: Detail | None = None,
    ) -> np.ndarray:
        """The image with other planes. An unchanged plane changes nothing, not even by rounding.

        What changes in a plane is brought to the image's size as libjpeg does and added. Alpha is
        kept; YCbCr pictures become RGB.

            components = split(picture)
            luma, cb, cr = (np.array(plane[:, :]) for plane in components.planes)
            image = components.merge([denoise(luma), None, None])

        Args:
          restored: for each plane an array of its shape, or None for no change.
          bits: 8 or 16 for uint8 or uint16; None: as the image.
          detail: how much of the detail that luma shows is added to changed chroma that was
            subsampled (`chroma_detail.py`); None: nothing.

        Returns:
          (H, W) or (H, W, C), clipped and rounded.

        Raises:
          ValueError: other shapes, or bits the result cannot have.
        """
        expected = [plane.shape for plane in self.planes]
        given = [
            plane.shape if r is None else np.shape(r) for plane, r in zip(self.planes, restored)
        ]
        if len(restored) != len(expected) or given != expected:
            raise ValueError(f"Planes to merge must have shapes {expected}, got {given}.")

        def change(plane: Plane, values: np.ndarray) -> Rows:
            return lambda first, last: (values[first:last] - plane[slice(first, last), :])[None]

        changes = [
            ((plane,), change(plane, values))
            for plane, values in zip(self.planes, restored)
            if values is not None
        ]
        return self.merge_changes(changes, bits=bits, detail=detail)

    def merge_changes(
        self, changes: Sequence[Change], *, bits: int | None = None, detail: Detail | None = None
    ) -> np.ndarray:
        """As `merge`, of planes' changes, which are read from top to bottom."""
        result = None
        for rows, strip in self.strips(changes, bits=bits, detail=detail):
            if result is None:
                result = np.empty((*self.size, strip.shape[2]), strip.dtype)
            result[rows] = strip
        assert result is not None
        return result[..., 0] if self._flat else result

    def picture(self, changes: Sequence[Change], *, detail: Detail | None = None) -> Image.Image:
        """As `merge_changes`, as a Pillow picture of as many bits as the image."""
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
        """The result of `merge_changes` from top to bottom: rows and their pixels (rows, W, C)."""
        dtype = self._dtype(bits)
        numbers = {id(plane): i for i, plane in enumerate(self.planes)}
        reach = chroma_detail.REACH if detail else 1  # samples; upsampling alone takes the next one
        margin = reach * max(plane.upsampling.factors[0] for plane in self.planes)
        peak = np.float32(INTEGER_PEAKS.get(self.pixels.dtype, 1))
        for rows in strips(self.pixels.shape):
            raw = self.pixels.read(rows, slice(0, self.size[1]))
            if not (changes or self._rgb_of_ycbcr) and dtype == raw.dtype:
                yield rows, raw
                continue
            values = raw.astype(np.float32) / peak
            image = values[..., : len(self._change)]
            if self._rgb_of_ycbcr:
                image[...] = (image - _NEUTRAL) @ self._change.T
            near = slice(max(0, rows.start - margin), min(self.size[0], rows.stop + margin))
            held = [(planes, _held(read, planes[0].upsampling, near)) for planes, read in changes]
            for planes, read in held:
                change = planes[0].upsampling.rows(read, rows)
                if detail and planes[0].chroma and planes[0].upsampling.factors != (1, 1):
                    change = change + self._detail(planes, held, rows, near, detail)
                mixing = self._change[:, [numbers[id(plane)] for plane in planes]]
                image += np.moveaxis(change, 0, -1) @ mixing.T
            yield rows, encoded(values, dtype)

    def _detail(
        self,
        chroma: Sequence[Plane],
        changes: Sequence[Change],
        rows: slice,
        near: slice,
        wanted: Detail,
    ) -> np.ndarray:
        """Of restored chroma, (planes, rows, W); the rows `near` it may be read."""

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
        return chroma_detail.detail(
            restored(chroma),
            lambda first, last: luma(first, last)[0],
            chroma[0].upsampling,
            rows,
            wanted=wanted,
        )

    def has_bits(self, bits: int | None) -> bool:
        """Whether the image has as many bits as asked for."""
        return self._dtype(bits) == self.pixels.dtype

    def _dtype(self, bits: int | None) -> np.dtype[Any]:
        if bits is None:
            return self.pixels.dtype
        if bits not in DTYPES:
            raise ValueError(f"bits is {bits}; use 8 or 16, or None for as many as the image has.")
        if bits == 16 and self.mode == "CMYK":
            raise ValueError("A CMYK image cannot have 16 bits; use bits=8, or convert it to RGB.")
        return DTYPES[bits]


def split(
    image: np.ndarray | Image.Image,
    *,
    header: JpegHeader | None = None,
    subsampling: Subsampling | None = None,
) -> Components:
    """The components of a decoded JPEG.

    Args:
      image: an array (H, W) or (H, W, 1–4): gray, gray + alpha, RGB, RGB + alpha; uint8, uint16
        or floating point in [0, 1]. Or a Pillow picture; YCbCr ones, as JPEG files opened by
        `draft("YCbCr", None)` are, give luma and chroma without the clipping of RGB.
      header: of the file; JPEG files opened by Pillow have their own.
      subsampling: of chroma, where there is no header; None: found from the pixels.

    Raises:
      ValueError: no such image, or one that the header does not fit.
    """
    if isinstance(image, Image.Image):
        header = header or _own_header(image)
        image = readable(image)
        pixels: Pixels = PicturePixels(image)
        mode, flat = image.mode, len(image.getbands()) == 1
    else:
        image = np.asarray(image)
        pixels, flat = ArrayPixels(image), image.ndim == 2
        mode = _MODES[pixels.shape[2]]
        if header is not None and header.coding in _CODINGS[4] and mode == "RGBA":
            mode = "CMYK"
    coding = _coding(mode, header)
    weights, offsets, change = _space(mode, coding)
    planes = [
        Plane(
            chroma=coding in (Coding.YCBCR, Coding.YCCK) and number in (1, 2),
            upsampling=Upsampling(pixels.shape[:2], (1, 1)),
            table=None if header is None else header.tables[number],
            weights=plane_weights,
            offset=offset,
            pixels=pixels,
        )
        for number, (plane_weights, offset) in enumerate(zip(weights, offsets))
    ]
    factors = _factors(planes, header=header, subsampling=subsampling)
    planes = [
        dataclasses.replace(plane, upsampling=Upsampling(pixels.shape[:2], f))
        for plane, f in zip(planes, factors)
    ]
    return Components(
        planes=tuple(planes),
        lead=planes[1 if coding in (Coding.RGB, Coding.CMYK) else 0],
        pixels=pixels,
        mode="RGB" if mode == "YCbCr" else mode,
        _flat=flat,
        _change=change,
        _rgb_of_ycbcr=mode == "YCbCr",
    )


def leading_plane(image: np.ndarray | Image.Image) -> Plane:
    """`Components.lead` of a picture, at its size, for who asks for no other plane."""
    return split(image, subsampling=Subsampling.S444).lead


def _held(read: Rows, upsampling: Upsampling, rows: slice) -> Rows:
    """What a component has for rows of the image, read once, to be read again in any order."""
    factor = upsampling.factors[0]
    start, stop = rows.start // factor, -(-rows.stop // factor)
    values = read(start, stop)
    return lambda first, last: values[:, first - start : last - start]


def _own_header(picture: Image.Image) -> JpegHeader | None:
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        with contextlib.suppress(ValueError):  # tables are missing, yet it was decoded
            return JpegHeader.of(picture)
    return None


def _coding(mode: str, header: JpegHeader | None) -> Coding:
    """What the components are; without a header, what is likeliest."""
    possible = _CODINGS[_COLOR_CHANNELS[mode]]
    if header is None:
        return possible[0]
    if header.coding not in possible or (mode == "YCbCr" and header.coding is Coding.RGB):
        raise ValueError(
            f"The header is of a JPEG coded as {header.coding.value}, the image's mode is {mode}; "
            "pass the image as it was decoded, or no header."
        )
    return header.coding


def _space(mode: str, coding: Coding) -> tuple[np.ndarray, list[float], np.ndarray]:
    """Weights (planes, channels) and offsets of planes, and (channels, planes), the way back.

    Pillow inverts the inks of JPEG files, as Adobe's are; YCCK is made of them inverted twice.
    """
    forward, back = np.eye(_COLOR_CHANNELS[mode]), np.eye(_COLOR_CHANNELS[mode])
    offsets = [0.0] * len(forward)
    if mode == "CMYK":
        forward, back, offsets = -forward, -back, [1.0] * 4
    if coding in (Coding.YCBCR, Coding.YCCK):
        back[:3, :3] = color.RGB_OF_YCBCR
        offsets[:3] = 0.0, _MIDDLE, _MIDDLE
        forward[:3, :3] = color.YCBCR_OF_RGB
        if mode == "YCbCr":
            forward, offsets = np.eye(3), [0.0] * 3
    return forward.astype(np.float32), offsets, back.astype(np.float32)


def _factors(
    planes: Sequence[Plane], *, header: JpegHeader | None, subsampling: Subsampling | None
) -> list[tuple[int, int]]:
    """Pixels a sample of every plane, (vertical, horizontal)."""
    if header is not None:
        horizontal, vertical = (max(sides) for sides in zip(*header.sampling))
        return [(vertical // v, horizontal // h) for h, v in header.sampling]
    if subsampling is None:
        subsampling = _found_subsampling(planes)
    return [subsampling.factors if plane.chroma else (1, 1) for plane in planes]


def _found_subsampling(planes: Sequence[Plane]) -> Subsampling:
    chroma = [plane for plane in planes if plane.chroma]
    if not chroma:
        return Subsampling.S444
    pixels = planes[0].pixels

    def levels(plane: Plane, rows: slice, columns: slice) -> np.ndarray:
        return 255 * plane[rows, columns]

    return find_subsampling(
        [functools.partial(levels, plane) for plane in chroma],
        lambda rows, columns: saturated(pixels.read(rows, columns)),
        size=planes[0].shape,
    )
