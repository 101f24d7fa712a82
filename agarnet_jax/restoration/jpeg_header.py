"""What a JPEG file's header says of its compression: tables, sampling and colour coding."""

import dataclasses
import enum

import numpy as np
from PIL import JpegImagePlugin

from agarnet_jax.jpeg_tables import BLOCK


class Coding(enum.StrEnum):
    """What a JPEG file's components are.

    YCbCr is JFIF's (BT.601, full range), YCCK the same with inverted ink and a black plane.
    """

    GRAY = "gray"
    YCBCR = "YCbCr"
    RGB = "RGB"
    CMYK = "CMYK"
    YCCK = "YCCK"


@dataclasses.dataclass(frozen=True, eq=False)
class JpegHeader:
    """How a JPEG file is coded, one entry a component.

    tables: (8, 8) int64 quantization tables in raster order, entries of at least 1.
    sampling: sampling factors (horizontal, vertical), 1–4: luma of 4:2:0 has (2, 2), its chroma
      (1, 1).
    coding: what the components are.
    progressive: whether it is sent in several scans.
    """

    tables: tuple[np.ndarray, ...]
    sampling: tuple[tuple[int, int], ...]
    coding: Coding
    progressive: bool

    @classmethod
    def of(cls, image: JpegImagePlugin.JpegImageFile) -> "JpegHeader":
        """The header of an opened JPEG file.

        Raises:
          ValueError: a component's quantization table is missing from the header.
          TypeError: it is no JPEG file opened by Pillow.
        """
        if not isinstance(image, JpegImagePlugin.JpegImageFile):
            raise TypeError(
                f"A {type(image).__name__} has no JPEG header; give a JPEG file as PIL.Image.open "
                "returns it (what is converted or cropped from it has lost the header)."
            )
        tables = []
        for identifier, _, _, table in image.layer:
            if table not in image.quantization:
                raise ValueError(
                    f"The header has no quantization table {table}, which component {identifier} "
                    "names; the file is damaged, save it anew with another program."
                )
            steps = np.array(image.quantization[table], np.int64).reshape(BLOCK, BLOCK)
            tables.append(np.maximum(steps, 1))
        return cls(
            tables=tuple(tables),
            sampling=tuple((horizontal, vertical) for _, horizontal, vertical, _ in image.layer),
            coding=_coding(image),
            progressive=bool(image.info.get("progressive")),
        )

    def transposed(self) -> "JpegHeader":
        """Returns the header of the same file with rows and columns exchanged."""
        return dataclasses.replace(
            self,
            tables=tuple(table.T for table in self.tables),
            sampling=tuple((vertical, horizontal) for horizontal, vertical in self.sampling),
        )


def _coding(image: JpegImagePlugin.JpegImageFile) -> Coding:
    """Decides the coding as libjpeg does (`default_decompress_parms` in jdapimin.c)."""
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
