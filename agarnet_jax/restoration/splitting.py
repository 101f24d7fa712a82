"""Splits an image into the components that a JPEG of it stores (NumPy)."""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from agarnet_jax import color
from agarnet_jax.restoration.components import CHROMA_ZERO, Components
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader
from agarnet_jax.restoration.pixels import (
    ArrayPixels,
    ImageLike,
    PillowPixels,
    Pixels,
    readable,
)
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.traces.subsampling import Subsampling, find_subsampling, saturated
from agarnet_jax.restoration.upsampling import Upsampling

_ARRAY_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # by number of channels
_COLOR_CHANNELS = {"L": 1, "LA": 1, "I;16": 1, "RGB": 3, "RGBA": 3, "YCbCr": 3, "CMYK": 4}
_BYTES = (bytes, bytearray, memoryview)
# By number of color channels; the first is assumed without a header.
_CODINGS = {1: (Coding.GRAY,), 3: (Coding.YCBCR, Coding.RGB), 4: (Coding.CMYK, Coding.YCCK)}


def split(
    image: ImageLike,
    *,
    header: JpegHeader | None = None,
    subsampling: Subsampling | None = None,
) -> Components:
    """Splits a decoded JPEG into its components.

    Args:
      image: an array (H, W) or (H, W, 1–4): gray, gray + alpha, RGB, RGB + alpha; uint8, uint16
        or floating point in [0, 1]. Or a Pillow image. YCbCr images, as JPEG files opened with
        `draft("YCbCr", None)` are, give luma and chroma without the clipping of RGB.
      header: that of the file; JPEG files opened by Pillow have their own.
      subsampling: that of chroma, used without a header; None: detected from the pixels.

    Raises:
      ValueError: an unsupported image, or a header that does not fit it.
      TypeError: `header` is not a JpegHeader.
    """
    if not isinstance(header, JpegHeader | None):
        raise TypeError(
            f"header is a {type(header).__name__}; pass JpegHeader.of(image) of a JPEG file "
            "opened by Pillow."
        )
    image = as_image(image)
    if isinstance(image, Image.Image):
        header = header or own_header(image)
        image = readable(image)
        pixels: Pixels = PillowPixels(image)
        mode, is_2d = image.mode, len(image.getbands()) == 1
    else:
        pixels, is_2d = ArrayPixels(image), image.ndim == 2
        mode = _ARRAY_MODES[pixels.shape[2]]
        if header is not None and header.coding in _CODINGS[4] and mode == "RGBA":
            mode = "CMYK"
    coding = _coding(mode, header)
    weights, offsets, mixing = _color_transform(mode, coding)
    planes = [
        Plane(
            chroma=coding in (Coding.YCBCR, Coding.YCCK) and index in (1, 2),
            upsampling=Upsampling(pixels.shape[:2], (1, 1)),
            table=None if header is None else header.tables[index],
            weights=plane_weights,
            offset=offset,
            pixels=pixels,
        )
        for index, (plane_weights, offset) in enumerate(zip(weights, offsets))
    ]
    factors = _upsampling_factors(planes, header=header, subsampling=subsampling)
    planes = [
        dataclasses.replace(plane, upsampling=Upsampling(pixels.shape[:2], f))
        for plane, f in zip(planes, factors)
    ]
    return Components(
        planes=tuple(planes),
        coding=coding,
        primary=planes[1 if coding in (Coding.RGB, Coding.CMYK) else 0],
        pixels=pixels,
        mode="RGB" if mode == "YCbCr" else mode,
        is_2d=is_2d,
        mixing=mixing,
        from_ycbcr=mode == "YCbCr",
    )


def primary_plane(image: ImageLike) -> Plane:
    """Returns the primary plane (`Components.primary`), for callers that need no other."""
    return split(image, subsampling=Subsampling.S444).primary


def as_image(image: Any) -> ImageLike:
    """Returns a Pillow image as it is, all else as an array; bfloat16 becomes float32.

    Raises:
      ValueError: a path, bytes, a file or None.
    """
    if isinstance(image, Image.Image):
        return image
    is_path = isinstance(image, str | os.PathLike)
    if is_path or image is None or isinstance(image, _BYTES) or hasattr(image, "read"):
        given = repr(image) if is_path or image is None else f"of type {type(image).__name__}"
        raise ValueError(
            f"image is {given}; pass an array, or an image as PIL.Image.open returns it."
        )
    array = np.asarray(image)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def own_header(image: ImageLike) -> JpegHeader | None:
    """Returns the header of a JPEG file opened by Pillow; None for copies and all else."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        with contextlib.suppress(ValueError):  # tables are missing, yet the file was decoded
            return JpegHeader.of(image)
    return None


def _coding(mode: str, header: JpegHeader | None) -> Coding:
    """Returns the header's coding; without a header, the most likely one."""
    possible = _CODINGS[_COLOR_CHANNELS[mode]]
    if header is None:
        return possible[0]
    if header.coding not in possible or (mode == "YCbCr" and header.coding is Coding.RGB):
        raise ValueError(
            f"The header is that of a JPEG coded as {header.coding.value}, but the image's mode is "
            f"{mode}; pass the image as it was decoded, or no header."
        )
    return header.coding


def _color_transform(mode: str, coding: Coding) -> tuple[np.ndarray, list[float], np.ndarray]:
    """Returns weights (planes, channels) and offsets of planes, and the inverse (channels, planes).

    Pillow inverts the inks of JPEG files, which Adobe stores inverted; YCCK is computed from inks
    inverted twice.
    """
    forward, inverse = np.eye(_COLOR_CHANNELS[mode]), np.eye(_COLOR_CHANNELS[mode])
    offsets = [0.0] * len(forward)
    if mode == "CMYK":
        forward, inverse, offsets = -forward, -inverse, [1.0] * 4
    if coding in (Coding.YCBCR, Coding.YCCK):
        inverse[:3, :3] = color.YCBCR_TO_RGB
        offsets[:3] = 0.0, CHROMA_ZERO, CHROMA_ZERO
        forward[:3, :3] = color.RGB_TO_YCBCR
        if mode == "YCbCr":
            forward, offsets = np.eye(3), [0.0] * 3
    return forward.astype(np.float32), offsets, inverse.astype(np.float32)


def _upsampling_factors(
    planes: Sequence[Plane], *, header: JpegHeader | None, subsampling: Subsampling | None
) -> list[tuple[int, int]]:
    """Returns (vertical, horizontal) pixels per sample of each plane."""
    if header is not None:
        horizontal, vertical = (max(sides) for sides in zip(*header.sampling))
        return [(vertical // v, horizontal // h) for h, v in header.sampling]
    if subsampling is None:
        subsampling = _detect_subsampling(planes)
    return [subsampling.value if plane.chroma else (1, 1) for plane in planes]


def _detect_subsampling(planes: Sequence[Plane]) -> Subsampling:
    chroma = [plane for plane in planes if plane.chroma]
    if not chroma:
        return Subsampling.S444
    pixels = planes[0].pixels

    def levels(plane: Plane, rows: slice, columns: slice) -> np.ndarray:
        return 255 * plane[rows, columns]

    return find_subsampling(
        [functools.partial(levels, plane) for plane in chroma],
        lambda rows, columns: saturated(pixels.read(rows, columns)[..., :3]),  # without alpha
        size=planes[0].shape,
    )
