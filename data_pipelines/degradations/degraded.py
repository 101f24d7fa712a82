"""The interface of degradations, and the labelled image that they return."""

import dataclasses
from typing import Any, ClassVar, Protocol

import numpy as np


@dataclasses.dataclass(frozen=True)
class Degraded:
    """A degraded image with its clean counterpart and its labels.

    Attributes:
      image, clean: (H, W) gray or (H, W, 3) RGB, uint8, of one shape. The 8×8 grid of the last
        encoding starts at the origin.
      quality: (1, 1), or pixel-wise (H, W), float32 in 1–100: the quality label.
      table: (1, 1, 8, 8), or block-wise (⌈H/8⌉, ⌈W/8⌉, 8, 8), uint8: the quantization table of the
        encoding that determined the label, in raster order.
    """

    image: np.ndarray
    clean: np.ndarray
    quality: np.ndarray
    table: np.ndarray


class Degradation(Protocol):
    """A fully specified degradation: a frozen dataclass whose fields are a sample's metadata."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __hash__(self) -> int:
        """Returns equal hashes for equal degradations, as frozen dataclasses do."""

    def input_side(self, side: int) -> int:
        """Returns the side of the input square that yields an output of at least `side`."""

    def apply(self, image: np.ndarray) -> Degraded:
        """Degrades a gray (H, W) or RGB (H, W, 3) uint8 image."""


def whole_image_label(quality: float, table: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the fields `quality` and `table` of an image with one label."""
    return {
        "quality": np.full((1, 1), quality, np.float32),
        "table": np.asarray(table, np.uint8).reshape(1, 1, 8, 8),
    }
