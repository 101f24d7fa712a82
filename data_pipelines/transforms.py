"""Turns clean images into training samples. Random steps draw only from the `rng` they are given.

A sample is a dict:
  degraded, clean: (H, W, 1) uint8; converted to float32 in [0, 1] on the device.
  quality: (1, 1, 1), or pixel-wise (H, W, 1), float32 in 1–100.
  tables: (1, 1, 64), or block-wise (H/8, W/8, 64), uint8 in the network's order; divided by 255 on
    the device, as in `jpeg_tables.network_table`.
  metadata: a JSON string: the plane, and the degradation in full.
"""

import dataclasses
import enum
import functools
import json
from typing import Any

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, network_order
from data_pipelines.degradations.degraded import Degradation, Degraded
from data_pipelines.degradations.mixture import DegradationConfig
from data_pipelines.draws import randbelow
from data_pipelines.graphics import draw_graphics
from data_pipelines.planes import PlaneWeights, TrainingPlane

Sample = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class RandomSample:
    """Draws a random crop of a random plane and degrades it at random.

    graphics: 0–1, the fraction of crops with graphics (`graphics.draw_graphics`).
    """

    crop: int
    planes: PlaneWeights
    degradation: DegradationConfig
    graphics: float = 0.0

    def sample(self, image: np.ndarray, rng: np.random.Generator) -> Sample:
        plane = TrainingPlane(self.planes.draw(rng))
        degradation = self.degradation.draw(rng, plane.component)
        patch = random_crop(image, plane.input_side(degradation.input_side(self.crop)), rng)
        if self.graphics > 0 and rng.random() < self.graphics:
            patch = draw_graphics(patch, rng)
        degraded = plane.degrade(random_symmetry(patch, rng), degradation)
        return make_sample(
            degraded,
            side=self.crop,
            pixelwise=self.degradation.pixelwise,
            metadata=describe(plane, degradation),
        )


def random_crop(image: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Crops a square from (H, W[, 3]) at a uniformly random position; mirrors smaller images."""
    missing = [max(0, side - size) for size in image.shape[:2]]
    if any(missing):
        padding = [(0, m) for m in missing] + [(0, 0)] * (image.ndim - 2)
        image = np.pad(image, padding, mode="symmetric")
    top, left = (randbelow(size - side + 1, rng) for size in image.shape[:2])
    return image[top : top + side, left : left + side]


def random_symmetry(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Applies one of the eight symmetries of the square (flips and rotations) to (H, W[, 3])."""
    symmetry = randbelow(8, rng)
    image = image[:: -1 if symmetry & 1 else 1, :: -1 if symmetry & 2 else 1]
    return image.swapaxes(0, 1) if symmetry & 4 else image


def centre_crop(image: np.ndarray, side: int) -> np.ndarray:
    """Crops the central square of the given side from (H, W[, 3])."""
    top, left = ((size - side) // 2 for size in image.shape[:2])
    return image[top : top + side, left : left + side]


def make_sample(degraded: Degraded, *, side: int, pixelwise: bool, metadata: str) -> Sample:
    """Makes a sample from the top left square of a degraded gray image.

    If `pixelwise`, `quality` is pixel-wise and `tables` block-wise; otherwise the image has one of
    each.
    """
    quality, table = degraded.quality, network_order(degraded.table)
    if pixelwise:
        quality = np.broadcast_to(quality, degraded.image.shape)[:side, :side]
        blocks = tuple(-(-extent // BLOCK) for extent in degraded.image.shape)
        table = np.broadcast_to(table, (*blocks, 64))[: side // BLOCK, : side // BLOCK]
    return {
        "degraded": degraded.image[:side, :side, None],
        "clean": degraded.clean[:side, :side, None],
        "quality": quality[..., None],
        "tables": table,
        "metadata": metadata,
    }


@functools.lru_cache(maxsize=10_000)  # single JPEGs recur
def describe(plane: TrainingPlane, degradation: Degradation) -> str:
    """Returns a sample's metadata as JSON: its plane, and the degradation in full."""
    metadata = {"plane": plane, "degradation": type(degradation).__name__}
    return json.dumps(metadata | dataclasses.asdict(degradation), default=_enum_value)


def _enum_value(value: enum.Enum) -> Any:
    return value.value
