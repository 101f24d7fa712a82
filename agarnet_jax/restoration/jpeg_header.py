"""How a JPEG file is coded, read from its header: tables, sampling factors and colour coding."""

import dataclasses
import enum

import numpy as np
from PIL import JpegImagePlugin

from agarnet_jax.jpeg_tables import BLOCK


class Coding(enum.StrEnum):
    """The colour space of a JPEG file's components.

    YCbCr is that of JFIF (BT.601, full range); YCCK is YCbCr of the inverted inks, and black.
    """

    GRAY = "gray"
    YCBCR = "YCbCr"
    RGB = "RGB"
    CMYK = "CMYK"
    YCCK = "YCCK"


@dataclasses.dataclass(frozen=True, eq=False)
class JpegHeader:
    """How a JPEG file is coded; `tables` and `sampling` have one entry for each component.

    tables: (8, 8) int64 quantization tables in raster order, entries of at least 1.
    sampling: sampling factors (horizontal, vertical), 1–4: in 4:2:0, (2, 2) of luma and (1, 1) of
      chroma.
    coding: the colour space of the components.
    progressive: whether the file is a progressive JPEG.
    """

    tables: tuple[np.ndarray, ...]
    sampling: tuple[tuple[int, int], ...]
    coding: Coding
    progressive: bool

    @classmethod
    def of(cls, image: JpegImagePlugin.JpegImageFile) -> "JpegHeader":
        """Returns the header of a JPEG file opened by Pillow.

        Raises:
          ValueError: a component's quantization table is missing from the header.
          TypeError: `image` is not a JPEG file opened by Pillow.
        """
        if not isinstance(image, JpegImagePlugin.JpegImageFile):
            raise TypeError(
                f"A {type(image).__name__} has no JPEG header; pass a JPEG file as PIL.Image.open "
                "returns it (converted or cropped copies have lost the header)."
            )
        tables = []
        for identifier, _, _, table in image.layer:
            if table not in image.quantization:
                raise ValueError(
                    f"The header has no quantization table {table}, which component {identifier} "
                    "refers to; the file is damaged, save it again with another program."
                )
            steps = np.array(image.quantization[table], np.int64).reshape(BLOCK, BLOCK)
            tables.append(np.maximum(steps, 1))
        return cls(
            tables=tuple(tables),
            sampling=tuple((horizontal, vertical) for _, horizontal, vertical, _ in image.layer),
            coding=_coding(image),
            progressive=bool(image.info.get("progressive")),
        )


def _coding(image: JpegImagePlugin.JpegImageFile) -> Coding:
    """Determines the coding as libjpeg does (`default_decompress_parms` in jdapimin.c)."""
    transform = image.info.get("adobe_transform") if "adobe" in image.info else None
    if len(image.layer) == 1:
        return Coding.GRAY
    if len(image.layer) == 4:
        return Coding.YCCK if transform else Coding.CMYK
    if "jfif" in image.info:
        return Coding.YCBCR
    if transform is not None:
        return Coding.RGB if transform == 0 else Coding.YCBCR
    identifiers = bytes(identifier for identifier, *_ in image.layer)
    return Coding.RGB if identifiers == b"RGB" else Coding.YCBCR
