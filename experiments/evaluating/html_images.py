"""Encodes a report's images for HTML, as PNG files in data: URIs."""

import base64
import dataclasses
import io
import math

import numpy as np
from PIL import Image

# Viridis (van der Walt and Smith 2015): brightness grows with the value in all kinds of vision.
_COLORS = "viridis"
_STEP = 5  # both ends of a colour scale are multiples of this quality
_MIN_SPAN = 10  # in quality, so that noise in a constant map does not look like structure


@dataclasses.dataclass(frozen=True)
class QualityMapImage:
    """A colour-coded quality map, `uri`, and its scale, `scale_uri`, from `low` to `high`."""

    uri: str
    scale_uri: str
    low: int
    high: int


def png_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def image_uri(image: np.ndarray) -> str:
    """Encodes (H, W) or (H, W, 3) uint8."""
    return _uri(Image.fromarray(image))


def quality_map_image(quality_map: np.ndarray) -> QualityMapImage:
    """Colour-codes a finite map (H, W) in 1–100 on a scale adapted to its range."""
    low = _STEP * math.floor(quality_map.min() / _STEP)
    high = _STEP * math.ceil(quality_map.max() / _STEP)
    while high - low < _MIN_SPAN:
        low, high = max(low - _STEP, 0), min(high + _STEP, 100)
    scaled = (np.asarray(quality_map, np.float64) - low) / (high - low)
    return QualityMapImage(_colored(scaled), _colored(np.linspace(0, 1, 256)[None]), low, high)


def _colored(values: np.ndarray) -> str:
    """Colours (H, W) in [0, 1] by a palette, for files a third of the size of RGB."""
    import matplotlib

    picture = Image.fromarray(np.rint(values * 255).astype(np.uint8)).convert("P")
    colors = matplotlib.colormaps[_COLORS](np.arange(256), bytes=True)
    picture.putpalette(colors[:, :3].tobytes())
    return _uri(picture)


def _uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "png")
    return png_uri(buffer.getvalue())
