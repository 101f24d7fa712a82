"""What every degradation is, and what it returns."""

import dataclasses
from typing import Any, ClassVar, Protocol

import numpy as np


@dataclasses.dataclass(frozen=True)
class Degraded:
    """An image as it reaches us, beside what it was.

    Attributes:
      image, clean: (H, W) gray or (H, W, 3) RGB, uint8, of one shape. The 8×8 grid of the last
        encoding starts at the origin.
      quality: (1, 1), or pixel-wise (H, W), float32 in 1–100: the quality label.
      table: (1, 1, 8, 8), or block-wise (⌈H/8⌉, ⌈W/8⌉, 8, 8), uint8: the quantization table of the
        encoding that decided the label, in raster order.
    """

    image: np.ndarray
    clean: np.ndarray
    quality: np.ndarray
    table: np.ndarray


class Degradation(Protocol):
    """One definite degradation: a frozen dataclass whose fields are a sample's metadata."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __hash__(self) -> int:
        """Returns equal hashes for equal degradations, as frozen dataclasses do."""

    def input_side(self, side: int) -> int:
        """Returns the side of the square that must go in for at least `side` to come out."""

    def apply(self, image: np.ndarray) -> Degraded:
        """Degrades gray (H, W) or RGB (H, W, 3) uint8."""


def whole_image_label(quality: float, table: np.ndarray) -> dict[str, np.ndarray]:
    """Makes `quality` and `table` of an image whose label is the same everywhere."""
    return {
        "quality": np.full((1, 1), quality, np.float32),
        "table": np.asarray(table, np.uint8).reshape(1, 1, 8, 8),
    }
