"""The planes of an image that networks are trained on: luma in two ranges, and chroma."""

import dataclasses
import enum

import numpy as np
from PIL import Image

from agarnet_jax.color import RGB_TO_YCBCR, LumaRange, full_to_studio
from data_pipelines.decoding import as_luma
from data_pipelines.degradations.degraded import Degradation, Degraded
from data_pipelines.degradations.tables import Component
from data_pipelines.draws import Choices

_STUDIO_LEVELS = np.rint(full_to_studio(np.arange(256))).astype(np.uint8)


class TrainingPlane(enum.Enum):
    """The single channel of an image that a training sample contains.

    FULL, STUDIO: luma compressed as a gray image, in the range of JPEG files or of benchmarks.
    COLOR: full-range luma of an image that was compressed in colour. CB, CR: a chroma plane at half
    resolution, as 4:2:0 stores it, quantized with the chroma table.
    """

    FULL = "full"
    STUDIO = "studio"
    COLOR = "color"
    CB = "cb"
    CR = "cr"

    @property
    def component(self) -> Component:
        return Component.CHROMA if self in _CHANNEL else Component.LUMA

    def input_side(self, side: int) -> int:
        """Returns the side of the image whose plane has the given side."""
        return 2 * side if self in _CHANNEL else side

    def degrade(self, image: np.ndarray, degradation: Degradation) -> Degraded:
        """Degrades this plane of a gray (H, W) or RGB (H, W, 3) uint8 image.

        The result is gray: (H, W), or half of that on each side for a chroma plane. The chroma of a
        gray image is 128 everywhere.
        """
        if self is TrainingPlane.COLOR:
            degraded = degradation.apply(image)
            return dataclasses.replace(
                degraded,
                image=as_luma(degraded.image, LumaRange.FULL),
                clean=as_luma(degraded.clean, LumaRange.FULL),
            )
        return degradation.apply(self._extract(image))

    def _extract(self, image: np.ndarray) -> np.ndarray:
        if self in _CHANNEL:
            return np.asarray(Image.fromarray(_chroma(image, _CHANNEL[self])).reduce(2))
        if self is TrainingPlane.STUDIO and image.ndim == 2:
            return _STUDIO_LEVELS[image]
        return as_luma(image, LumaRange(self.value))


_CHANNEL = {TrainingPlane.CB: 1, TrainingPlane.CR: 2}


def _chroma(image: np.ndarray, channel: int) -> np.ndarray:
    """Returns a chroma plane rounded as libjpeg rounds it; Pillow's own conversion truncates."""
    if image.ndim == 2:
        return np.full_like(image, 128)
    return np.clip(np.rint(image @ RGB_TO_YCBCR[channel] + 128), 0, 255).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class PlaneWeights(Choices):
    """Relative frequency of each `TrainingPlane`. All but `full` and `studio` need RGB images."""

    full: float = 0.5  # full-range luma, as in JPEG files, compressed as a gray image
    studio: float = 0.5  # studio-range luma, as in benchmarks, compressed as a gray image
    color: float = 0.0  # full-range luma of an image compressed in colour
    cb: float = 0.0  # Cb at half resolution, quantized with the chroma table
    cr: float = 0.0  # Cr at half resolution, quantized with the chroma table

    @property
    def need_rgb(self) -> bool:
        return self.color + self.cb + self.cr > 0
