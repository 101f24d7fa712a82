"""Recompression: several JPEG encodings of one image, with crops or rescaling in between."""

import dataclasses
import math

import numpy as np
from PIL import Image

from agarnet_jax.configs import Config, require
from agarnet_jax.jpeg_tables import BLOCK
from data_pipelines.degradations.degraded import Degraded
from data_pipelines.degradations.effective import labelled
from data_pipelines.degradations.jpeg import EncoderOptions, Jpeg
from data_pipelines.degradations.tables import Component
from data_pipelines.draws import randbelow

_MIN_SCALE = 0.001  # scales are rounded to three decimals


@dataclasses.dataclass(frozen=True)
class Reencoding:
    """A further encoding: rescales by `scale`, crops by `shift` (rows, columns), then encodes."""

    jpeg: Jpeg
    shift: tuple[int, int] = (0, 0)
    scale: float = 1.0

    def transform(self, image: np.ndarray) -> np.ndarray:
        """Rescales and crops the image; does not encode it."""
        if self.scale != 1:
            height, width = (max(1, round(side * self.scale)) for side in image.shape[:2])
            resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
            image = np.asarray(resized)
        return image[self.shift[0] :, self.shift[1] :]


@dataclasses.dataclass(frozen=True)
class Recompression:
    """A JPEG encoded again, once or several times; the image has the grid of the last encoding.

    The clean image is rescaled and cropped alike, so restoration undoes compression, not rescaling.
    """

    first: Jpeg
    then: tuple[Reencoding, ...]

    def input_side(self, side: int) -> int:
        for step in reversed(self.then):
            side += max(step.shift)
            if step.scale != 1:
                side = math.ceil((side + 0.5) / step.scale)
            side = -(-side // BLOCK) * BLOCK  # whole blocks: encoders pad partial ones
        return side

    def apply(self, image: np.ndarray) -> Degraded:
        clean, degraded = image, self.first.compress(image)
        for step in self.then:
            clean, degraded = step.transform(clean), step.jpeg.compress(step.transform(degraded))
        return labelled(degraded, clean, self._encodings_at_final_size())

    def _encodings_at_final_size(self) -> list[Jpeg]:
        """Returns the encodings whose artifacts no later rescaling has smoothed."""
        encodings = [self.first]
        for step in self.then:
            encodings = [step.jpeg] if step.scale != 1 else [*encodings, step.jpeg]
        return encodings


def double(first: int, second: int, *, shift: tuple[int, int] = (0, 0)) -> Recompression:
    """Returns the double JPEG of `docs/evaluation.md`: IJG quality `first`, then `second`."""
    return Recompression(Jpeg(first), (Reencoding(Jpeg(second), shift),))


@dataclasses.dataclass(frozen=True)
class RecompressionOptions(Config):
    """The distribution of recompressions: double and multiple JPEG compression."""

    encodings_max: int = 3  # an image has 2 to this many encodings
    shifted: float = 0.6  # fraction of re-encodings with the grid shifted by 0–7 rows and columns
    rescaled: float = 0.15  # fraction of re-encodings that follow a rescaling
    scale_min: float = 0.5  # smallest factor of that rescaling
    scale_max: float = 1.25  # largest factor of that rescaling

    def __post_init__(self):
        super().__post_init__()
        require(self, "in 0–1", lambda fraction: 0 <= fraction <= 1, "shifted", "rescaled")
        require(self, ">= 2", lambda count: count >= 2, "encodings_max")
        low = self.scale_min
        require(self, f">= {_MIN_SCALE}", lambda scale: scale >= _MIN_SCALE, "scale_min")
        require(self, f">= {low}", lambda scale: scale >= low, "scale_max")

    def draw(
        self, rng: np.random.Generator, *, encoder: EncoderOptions, component: Component
    ) -> Recompression:
        return Recompression(
            encoder.draw(rng, component),
            tuple(
                self._reencoding(rng, encoder.draw(rng, component))
                for _ in range(1 + randbelow(self.encodings_max - 1, rng))
            ),
        )

    def _reencoding(self, rng: np.random.Generator, jpeg: Jpeg) -> Reencoding:
        shift, scale = (0, 0), 1.0
        if rng.random() < self.shifted:
            shift = randbelow(BLOCK, rng), randbelow(BLOCK, rng)
        if rng.random() < self.rescaled:
            scale = round(float(rng.uniform(self.scale_min, self.scale_max)), 3)
        return Reencoding(jpeg, shift, scale)
