"""Which degradation an image meets: each kind with its weight."""

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
    """How often each kind of degradation is drawn, relatively."""

    jpeg: float = 1.0
    recompression: float = 0.0
    mosaic: float = 0.0
    video: float = 0.0  # needs the extra `video`


@dataclasses.dataclass(frozen=True)
class DegradationConfig(Config):
    """What images go through; `encoder` holds for every encoding in every kind."""

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
