"""Two or more encodings of one image, cropped off the grid or rescaled in between."""

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
from data_pipelines.draws import below

_SMALLEST_SCALE = 0.001  # scales are drawn with three digits


@dataclasses.dataclass(frozen=True)
class Reencoding:
    """What happens to a decoded JPEG: rescaled, cropped by `shift` (rows, columns), encoded."""

    jpeg: Jpeg
    shift: tuple[int, int] = (0, 0)
    scale: float = 1.0

    def moved(self, image: np.ndarray) -> np.ndarray:
        """Rescales and crops the image, as this encoding finds it."""
        if self.scale != 1:
            height, width = (max(1, round(side * self.scale)) for side in image.shape[:2])
            resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
            image = np.asarray(resized)
        return image[self.shift[0] :, self.shift[1] :]


@dataclasses.dataclass(frozen=True)
class Recompression:
    """A JPEG encoded again, once or more. The last encoding's grid is the image's.

    What is clean is moved in the same way, so that restoration undoes compression, not rescaling.
    """

    first: Jpeg
    then: tuple[Reencoding, ...]

    def input_side(self, side: int) -> int:
        for step in reversed(self.then):
            side += max(step.shift)
            if step.scale != 1:
                side = math.ceil((side + 0.5) / step.scale)
            side = -(-side // BLOCK) * BLOCK  # encoders would make up the rest of a cut block
        return side

    def apply(self, image: np.ndarray) -> Degraded:
        clean, degraded = image, self.first.compress(image)
        for step in self.then:
            clean, degraded = step.moved(clean), step.jpeg.compress(step.moved(degraded))
        return labelled(degraded, clean, self._encodings_at_final_size())

    def _encodings_at_final_size(self) -> list[Jpeg]:
        """Lists the encodings whose losses no later rescaling has smoothed."""
        encodings = [self.first]
        for step in self.then:
            encodings = [step.jpeg] if step.scale != 1 else [*encodings, step.jpeg]
        return encodings


def double(first: int, second: int, *, shift: tuple[int, int] = (0, 0)) -> Recompression:
    """Encodes at IJG quality `first`, then `second`: the double JPEG of `docs/evaluation.md`."""
    return Recompression(Jpeg(first), (Reencoding(Jpeg(second), shift),))


@dataclasses.dataclass(frozen=True)
class RecompressionOptions(Config):
    """What random recompressions are like."""

    encodings_max: int = 3  # each image has 2 to this many
    shifted: float = 0.6  # share of reencodings off the grid, by 0–7 rows and columns
    rescaled: float = 0.15  # share of reencodings of a resized image
    scale_min: float = 0.5
    scale_max: float = 1.25

    def __post_init__(self):
        super().__post_init__()
        require(self, "in 0–1", lambda share: 0 <= share <= 1, "shifted", "rescaled")
        require(self, ">= 2", lambda count: count >= 2, "encodings_max")
        smallest, low = _SMALLEST_SCALE, self.scale_min
        require(self, f">= {smallest}", lambda scale: scale >= smallest, "scale_min")
        require(self, f">= {low}", lambda scale: scale >= low, "scale_max")

    def draw(
        self, rng: np.random.Generator, *, encoder: EncoderOptions, component: Component
    ) -> Recompression:
        return Recompression(
            encoder.draw(rng, component),
            tuple(
                self._reencoding(rng, encoder.draw(rng, component))
                for _ in range(1 + below(self.encodings_max - 1, rng))
            ),
        )

    def _reencoding(self, rng: np.random.Generator, jpeg: Jpeg) -> Reencoding:
        shift, scale = (0, 0), 1.0
        if rng.random() < self.shifted:
            shift = below(BLOCK, rng), below(BLOCK, rng)
        if rng.random() < self.rescaled:
            scale = round(float(rng.uniform(self.scale_min, self.scale_max)), 3)
        return Reencoding(jpeg, shift, scale)
