"""A weighted mixture of the kinds of degradation."""

import dataclasses

import numpy as np

from agarnet_jax.configs import Config
from data_pipelines.degradations.degraded import Degradation
from data_pipelines.degradations.jpeg import EncoderOptions
from data_pipelines.degradations.mosaic import MosaicOptions
from data_pipelines.degradations.recompression import RecompressionOptions
from data_pipelines.degradations.tables import Component
from data_pipelines.degradations.video import VideoOptions
from data_pipelines.draws import Choices


@dataclasses.dataclass(frozen=True)
class MixtureWeights(Choices):
    """Relative frequency of each kind of degradation."""

    jpeg: float = 1.0  # one JPEG encoding
    recompression: float = 0.0  # two or more encodings, aligned, shifted or rescaled in between
    mosaic: float = 0.0  # regions of different quality; makes labels pixel-wise
    video: float = 0.0  # a video frame saved as JPEG; needs the extra `video`


@dataclasses.dataclass(frozen=True)
class DegradationConfig(Config):
    """The degradation of training images. `encoder` applies to every encoding of every kind."""

    mixture: MixtureWeights = MixtureWeights()
    encoder: EncoderOptions = EncoderOptions()
    recompression: RecompressionOptions = RecompressionOptions()
    mosaic: MosaicOptions = MosaicOptions()
    video: VideoOptions = VideoOptions()

    @property
    def pixelwise(self) -> bool:
        """Whether labels vary within an image."""
        return self.mixture.mosaic > 0

    def draw(self, rng: np.random.Generator, component: Component = Component.LUMA) -> Degradation:
        kind = self.mixture.draw(rng)
        if kind == "jpeg":
            return self.encoder.draw(rng, component)
        options = getattr(self, kind)
        return options.draw(rng, encoder=self.encoder, component=component)
