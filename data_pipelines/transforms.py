"""Transforms of single samples, for Grain. A random one draws only from the `rng` it is given.

A sample begins as a luma image (H, W) uint8 and ends as a dict of float32 arrays:
`degraded` and `clean` (H, W, 1) in [0, 1], `quality` (1, 1, 1) in 1–100.
"""

import dataclasses

import grain
import numpy as np

from agarnet_jax.color import full_to_studio
from data_pipelines.degradations import jpeg

_STUDIO_LEVELS = np.rint(full_to_studio(np.arange(256))).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class RandomCrop(grain.transforms.RandomMap):
    """A square crop at a uniformly random place."""

    side: int

    def random_map(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        top = rng.integers(image.shape[0] - self.side + 1)
        left = rng.integers(image.shape[1] - self.side + 1)
        return image[top : top + self.side, left : left + self.side]


@dataclasses.dataclass(frozen=True)
class RandomFlipTranspose(grain.transforms.RandomMap):
    """One of the square's eight symmetries."""

    def random_map(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        flip_rows, flip_cols, transpose = rng.integers(2, size=3)
        image = image[:: -1 if flip_rows else 1, :: -1 if flip_cols else 1]
        return image.T if transpose else image


@dataclasses.dataclass(frozen=True)
class RandomStudioRange(grain.transforms.RandomMap):
    """With the given probability, full-range luma becomes studio range, as papers evaluate on."""

    probability: float

    def random_map(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _STUDIO_LEVELS[image] if rng.random() < self.probability else image


@dataclasses.dataclass(frozen=True)
class RandomJpeg(grain.transforms.RandomMap):
    """JPEG at a quality uniform over the integers in [quality_min, quality_max]."""

    quality_min: int
    quality_max: int

    def random_map(self, image: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        quality = int(rng.integers(self.quality_min, self.quality_max + 1))
        return degraded_sample(image, quality=quality)


def degraded_sample(image: np.ndarray, *, quality: int) -> dict[str, np.ndarray]:
    """The sample of a clean crop (H, W) uint8 and its JPEG at `quality`."""
    return {
        "degraded": _unit_range(jpeg.compress(image, quality=quality)),
        "clean": _unit_range(image),
        "quality": np.full((1, 1, 1), quality, np.float32),
    }


def centre_crop(image: np.ndarray, side: int) -> np.ndarray:
    """The central square of the given side."""
    top, left = ((size - side) // 2 for size in image.shape)
    return image[top : top + side, left : left + side]


def _unit_range(image: np.ndarray) -> np.ndarray:
    return (image.astype(np.float32) / 255)[..., None]
