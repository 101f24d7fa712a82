"""Images of a report as they stand in its HTML: PNG files within data: URIs."""

import base64
import dataclasses
import io
import math

import numpy as np
from PIL import Image

# Viridis (van der Walt and Smith 2015): the higher the value the brighter, to all kinds of vision.
_COLORS = "viridis"
_STEP = 5  # both ends of a scale are multiples of this quality
_LEAST_SPAN = 10  # in quality, so that noise of a constant map does not look like structure


@dataclasses.dataclass(frozen=True)
class QualityPicture:
    """A map of quality in colours, `uri`, and their scale, `scale_uri`, from `low` to `high`."""

    uri: str
    scale_uri: str
    low: int
    high: int


def png_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def image_uri(image: np.ndarray) -> str:
    """Encodes (H, W) or (H, W, 3) uint8."""
    return _uri(Image.fromarray(image))


def quality_picture(quality_map: np.ndarray) -> QualityPicture:
    """Colours a map (H, W) in 1–100, finite, on a scale as wide as this map needs."""
    low = _STEP * math.floor(quality_map.min() / _STEP)
    high = _STEP * math.ceil(quality_map.max() / _STEP)
    while high - low < _LEAST_SPAN:
        low, high = max(low - _STEP, 0), min(high + _STEP, 100)
    scaled = (np.asarray(quality_map, np.float64) - low) / (high - low)
    return QualityPicture(_colored(scaled), _colored(np.linspace(0, 1, 256)[None]), low, high)


def _colored(values: np.ndarray) -> str:
    """Colours (H, W) in [0, 1] by a palette; the file is a third of the size of one in RGB."""
    import matplotlib

    picture = Image.fromarray(np.rint(values * 255).astype(np.uint8)).convert("P")
    colors = matplotlib.colormaps[_COLORS](np.arange(256), bytes=True)
    picture.putpalette(colors[:, :3].tobytes())
    return _uri(picture)


def _uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "png")
    return png_uri(buffer.getvalue())
