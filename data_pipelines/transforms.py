"""Transforms of single samples, for Grain. A random one draws only from the `rng` it is given.

A sample begins as a luma image (H, W) uint8 and ends as a dict: `degraded` and `clean` (H, W, 1)
uint8 in 0–255 (devices make them float32 in [0, 1]), `quality` (1, 1, 1) float32 in 1–100.
"""

import dataclasses
from typing import Any

import grain
import numpy as np

from agarnet_jax.color import full_to_studio
from data_pipelines.degradations import jpeg

_STUDIO_LEVELS = np.rint(full_to_studio(np.arange(256))).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class RandomChain(grain.transforms.RandomMap):
    """Random transforms one after the other, on one generator."""

    steps: tuple[grain.transforms.RandomMap, ...]

    def random_map(self, element: Any, rng: np.random.Generator) -> Any:
        for step in self.steps:
            element = step.random_map(element, rng)
        return element


@dataclasses.dataclass(frozen=True)
class RandomCrop(grain.transforms.RandomMap):
    """A square crop at a uniformly random place."""

    side: int

    def random_map(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        top = _below(image.shape[0] - self.side + 1, rng)
        left = _below(image.shape[1] - self.side + 1, rng)
        return image[top : top + self.side, left : left + self.side]


@dataclasses.dataclass(frozen=True)
class RandomFlipTranspose(grain.transforms.RandomMap):
    """One of the square's eight symmetries."""

    def random_map(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        symmetry = _below(8, rng)
        image = image[:: -1 if symmetry & 1 else 1, :: -1 if symmetry & 2 else 1]
        return image.T if symmetry & 4 else image


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
        quality = self.quality_min + _below(self.quality_max - self.quality_min + 1, rng)
        return degraded_sample(image, quality=quality)


def degraded_sample(image: np.ndarray, *, quality: int) -> dict[str, np.ndarray]:
    """The sample of a clean crop (H, W) uint8 and its JPEG at `quality`."""
    return {
        "degraded": jpeg.compress(image, quality=quality)[..., None],
        "clean": image[..., None],
        "quality": np.full((1, 1, 1), quality, np.float32),
    }


def centre_crop(image: np.ndarray, side: int) -> np.ndarray:
    """The central square of the given side."""
    top, left = ((size - side) // 2 for size in image.shape)
    return image[top : top + side, left : left + side]


def _below(bound: int, rng: np.random.Generator) -> int:
    """A uniform integer in [0, bound); several times faster than `rng.integers` for one."""
    return int(rng.random() * bound)
