"""An image as the components that a JPEG stores, each at its own resolution (NumPy).

Components are BT.601 luma and chroma in full range, as in JFIF (ITU-T T.871), the colours of
RGB-coded files, or the inks of CMYK ones. Adobe's YCCK is luma and chroma of the inks, and black.
`splitting.py` splits an image into components, and `merging.py` adds changes of components to it.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from agarnet_jax.restoration.jpeg_header import Coding
from agarnet_jax.restoration.pixels import DTYPES, Pixels
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.request import check_bits
from agarnet_jax.restoration.upsampling import RowReader

CHROMA_ZERO = 128 / 255  # the value of neutral chroma

# Planes of one shape, and what reads rows of their change: (planes, rows, w).
Change = tuple[Sequence[Plane], RowReader]


@dataclasses.dataclass(frozen=True, eq=False)
class Components:
    """The components of an image, and the image itself.

    planes: Y, Cb, Cr; the only one of a gray image; R, G, B; C, M, Y, K; or Y, Cb, Cr, K.
    coding: which of these they are.
    primary: the plane on which quality is estimated and traces are detected: luma, green or
      magenta.
    pixels: the image.
    mode: Pillow mode of the restored image.
    is_2d: whether the image is an array (H, W), without a channel axis.
    mixing: (color channels, planes), the change of each channel for a change of each plane.
    from_ycbcr: whether the image is a YCbCr image, which becomes RGB.
    """

    planes: tuple[Plane, ...]
    coding: Coding
    primary: Plane
    pixels: Pixels
    mode: str
    is_2d: bool
    mixing: np.ndarray
    from_ycbcr: bool

    @property
    def size(self) -> tuple[int, int]:
        height, width, _ = self.pixels.shape
        return height, width

    def has_bits(self, bits: int | None) -> bool:
        """Whether the image has the requested number of bits; see `result_dtype`."""
        return self.result_dtype(bits) == self.pixels.dtype

    def result_dtype(self, bits: int | None) -> np.dtype[Any]:
        """Returns the dtype of a result of 8 or 16 bits; for None, that of the image.

        Raises:
          ValueError: a number of bits that the result cannot have.
        """
        if bits is None:
            return self.pixels.dtype
        check_bits(bits)
        if bits == 16 and self.mode == "CMYK":
            raise ValueError("A CMYK image cannot have 16 bits; use 8 bits, or convert it to RGB.")
        return DTYPES[bits]
