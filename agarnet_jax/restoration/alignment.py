"""Pads an image so that its 8×8 grid begins at the top left corner (NumPy)."""

import dataclasses
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from PIL import Image

from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.restoration.pixels import ImageLike
from agarnet_jax.restoration.traces.grid import Grid

ImageLikeT = TypeVar("ImageLikeT", bound=ImageLike)


@dataclasses.dataclass(frozen=True)
class Alignment:
    """Pads an image so that its grid begins at the top left corner, and crops it again.

    rows, columns: 0–7, how many rows and columns of edge pixels are repeated at the top and left to
      complete the partial blocks there.
    """

    rows: int
    columns: int

    @classmethod
    def of(cls, grid: Grid | None) -> "Alignment":
        """Returns the alignment to a grid; None stands for one that begins at the corner."""
        return cls(0, 0) if grid is None else cls(-grid.row % BLOCK, -grid.column % BLOCK)

    @property
    def is_needed(self) -> bool:
        """Whether the grid does not begin at the corner."""
        return (self.rows, self.columns) != (0, 0)

    def apply(self, image: ImageLikeT) -> ImageLikeT:
        """Pads (H, W[, C]) to (rows + H, columns + W[, C]), keeping dtype or Pillow mode.

        An image that needs no padding is returned itself.
        """

        def pad(image: np.ndarray) -> np.ndarray:
            before = [(self.rows, 0), (self.columns, 0), *[(0, 0)] * (image.ndim - 2)]
            return np.pad(image, before, mode="edge")

        return _map_pixels(image, pad) if self.is_needed else image

    def undo(self, image: ImageLikeT) -> ImageLikeT:
        """Crops (rows + H, columns + W[, C]) to (H, W[, C])."""

        def crop(image: np.ndarray) -> np.ndarray:
            return image[self.rows :, self.columns :]

        return _map_pixels(image, crop) if self.is_needed else image


def _map_pixels(image: ImageLikeT, function: Callable[[np.ndarray], np.ndarray]) -> ImageLikeT:
    """Applies a function to an array, or to a Pillow image's pixels, keeping its mode."""
    result = function(np.asarray(image))
    if isinstance(image, Image.Image):
        raw = np.ascontiguousarray(result).tobytes()
        return cast(ImageLikeT, Image.frombytes(image.mode, result.shape[1::-1], raw))
    return cast(ImageLikeT, result)
