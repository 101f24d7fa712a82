"""Visualizations of a restoration: the quality map, and a comparison of before and after."""

import dataclasses
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from agarnet_jax.jpeg_tables import MAX_QUALITY, MIN_QUALITY
from agarnet_jax.restoration.pixels import (
    INTEGER_PEAKS,
    ImageLike,
    array_from_pillow,
    readable,
    strips,
)
from agarnet_jax.restoration.upsampling import block_means

# The perceptually uniform colour map viridis (van der Walt & Smith, 2015; CC0), evenly sampled.
_VIRIDIS = np.array(
    [
        [68, 1, 84],
        [72, 24, 106],
        [71, 45, 123],
        [66, 64, 134],
        [59, 82, 139],
        [51, 99, 141],
        [44, 114, 142],
        [38, 129, 142],
        [33, 144, 140],
        [31, 159, 136],
        [40, 174, 128],
        [62, 188, 116],
        [93, 201, 99],
        [130, 211, 76],
        [171, 220, 50],
        [213, 226, 26],
        [253, 231, 37],
    ],
    np.float64,
)
_DIFFERENCE_GAIN = 8

_MAX_SIDE, _MIN_SIDE = 1024, 256  # of the map; larger ones are reduced, smaller ones enlarged
_MAX_PANEL_SIDE = 960
_GAP, _BAR, _TICK = 12, 18, 5
_BACKGROUND, _INK = "white", "black"
_TICK_LABELS = (1, 20, 40, 60, 80, 100)
_MIN_SCALE_HEIGHT = 140


def map_image(quality_map: np.ndarray) -> Image.Image:
    """Renders the map in colour, with a scale from 1 to 100 on which its range is marked.

    Args:
      quality_map: (H, W), quality 1–100.

    Returns:
      An RGB image with the map on the left and the scale on the right; large maps are reduced to at
      most 1024 pixels a side, small ones enlarged by an integer factor.

    Raises:
      ValueError: the shape is not (H, W), or values are out of range.
    """
    low, high = _checked_range(quality_map)
    scaling = _Scaling.of(quality_map.shape, largest=_MAX_SIDE)
    return _with_scale(_map_panel(quality_map, scaling), low, high)


def comparison(before: ImageLike, after: ImageLike, quality_map: np.ndarray) -> Image.Image:
    """Renders before, after, 8 × their difference around gray, and the quality map, with titles.

    Args:
      before, after: Pillow images or arrays (H, W) or (H, W, 1–4) of the same size, uint8, uint16
        or floating point in [0, 1]. Alpha is ignored.
      quality_map: (H, W), quality 1–100.

    Returns:
      An RGB image of 2 × 2 panels, each of at most 960 pixels a side.

    Raises:
      ValueError: the sizes differ, or the map is out of range.
    """
    low, high = _checked_range(quality_map)
    shapes = [_shape(before), _shape(after), quality_map.shape]
    if len(set(shapes)) > 1:
        raise ValueError(f"Before, after and map must have the same size (H, W), got {shapes}.")
    scaling = _Scaling.of(shapes[0], largest=_MAX_PANEL_SIDE)
    first, second = (_levels(image, scaling) for image in (before, after))
    difference = 127.5 + _DIFFERENCE_GAIN * (second - first)
    qualities = f"{low:.0f}" if round(low) == round(high) else f"{low:.0f} to {high:.0f}"
    panels = {
        "before": scaling.render(first),
        "after": scaling.render(second),
        f"difference x {_DIFFERENCE_GAIN} (gray: no change)": scaling.render(difference),
        f"assumed quality: {qualities}": _with_scale(_map_panel(quality_map, scaling), low, high),
    }
    return _two_by_two([_with_title(panel, title) for title, panel in panels.items()])


def colors(quality: np.ndarray) -> np.ndarray:
    """Returns quality 1–100 of shape (…) as float RGB levels (…, 3): dark blue is 1, yellow 100."""
    samples = np.linspace(MIN_QUALITY, MAX_QUALITY, len(_VIRIDIS))
    channels = [np.interp(quality, samples, channel) for channel in _VIRIDIS.T]
    return np.stack(channels, axis=-1)


@dataclasses.dataclass(frozen=True)
class _Scaling:
    """How an image of `shape` is displayed: reduced by `factor`, then enlarged by `zoom`."""

    shape: tuple[int, int]
    factor: int
    zoom: int

    @classmethod
    def of(cls, shape: tuple[int, ...], *, largest: int) -> "_Scaling":
        longer = max(shape)
        return cls((shape[0], shape[1]), -(-longer // largest), max(1, _MIN_SIDE // longer))

    def render(self, levels: np.ndarray) -> Image.Image:
        image = Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))
        width, height = image.size
        return image.resize((self.zoom * width, self.zoom * height), Image.Resampling.NEAREST)


def _checked_range(quality_map: np.ndarray) -> tuple[float, float]:
    if quality_map.ndim != 2 or not quality_map.size:
        raise ValueError(f"A quality map must be (H, W), got shape {quality_map.shape}.")
    low, high = float(quality_map.min()), float(quality_map.max())
    if not MIN_QUALITY <= low <= high <= MAX_QUALITY:
        raise ValueError(f"A quality map must be within 1–100, got {low:g} to {high:g}.")
    return low, high


def _map_panel(quality_map: np.ndarray, scaling: _Scaling) -> Image.Image:
    def read(rows: slice) -> np.ndarray:
        return quality_map[rows, :, None].astype(np.float32)

    return scaling.render(colors(_reduce(read, scaling)[..., 0]))


def _shape(image: ImageLike) -> tuple[int, ...]:
    return image.shape[:2] if isinstance(image, np.ndarray) else image.size[::-1]


def _levels(image: ImageLike, scaling: _Scaling) -> np.ndarray:
    """Returns reduced levels, (h, w, 3) float32."""
    read = _color_strips(image)
    peak = INTEGER_PEAKS.get(read(slice(0, 1)).dtype, 1)
    reduced = _reduce(read, scaling) * np.float32(255 / peak)
    return np.broadcast_to(reduced, (*reduced.shape[:2], 3))


def _color_strips(image: ImageLike) -> Callable[[slice], np.ndarray]:
    """Returns a function that reads rows as gray or RGB (rows, W, 1 or 3), in the image's dtype."""
    picture = readable(image) if isinstance(image, Image.Image) else None

    def read(rows: slice) -> np.ndarray:
        if picture is None:
            pixels = np.asarray(image)[rows]
        else:
            pixels = array_from_pillow(picture.crop((0, rows.start, picture.width, rows.stop)))
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        return pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1]

    return read


def _reduce(read: Callable[[slice], np.ndarray], scaling: _Scaling) -> np.ndarray:
    """Averages squares of `factor` pixels a side, in strips; edges are replicated to fill them."""
    factors = scaling.factor, scaling.factor
    return np.concatenate(
        [
            block_means(read(rows).astype(np.float32), factors)
            for rows in strips(scaling.shape, unit=scaling.factor)
        ]
    )


def _with_scale(panel: Image.Image, low: float, high: float) -> Image.Image:
    """Returns the panel with a labelled quality scale to its right, marked at `low` and `high`."""
    font = ImageFont.load_default(12)
    margin = 8  # half the height of a label
    height = max(panel.height, _MIN_SCALE_HEIGHT)
    width = panel.width + _GAP + _BAR + _TICK + 34
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    sheet.paste(panel, (0, 0))
    length, left = height - 2 * margin, panel.width + _GAP
    bar = colors(np.linspace(MAX_QUALITY, MIN_QUALITY, length))[:, None].repeat(_BAR, axis=1)
    sheet.paste(Image.fromarray(np.rint(bar).astype(np.uint8)), (left, margin))
    pen = ImageDraw.Draw(sheet)

    def y_of(quality: float) -> float:
        fraction = (MAX_QUALITY - quality) / (MAX_QUALITY - MIN_QUALITY)
        return margin + fraction * (length - 1)

    for label in _TICK_LABELS:
        y = y_of(label)
        pen.line([(left + _BAR, y), (left + _BAR + _TICK, y)], _INK)
        pen.text((left + _BAR + _TICK + 3, y), f"{label}", _INK, font, anchor="lm")
    for quality in (low, high):
        y = y_of(quality)
        pen.polygon([(left - 9, y - 4), (left - 9, y + 4), (left - 1, y)], _INK)
    return sheet


def _with_title(panel: Image.Image, title: str) -> Image.Image:
    font = ImageFont.load_default(14)
    heading = 22
    width = max(panel.width, round(font.getlength(title)) + 1)
    sheet = Image.new("RGB", (width, panel.height + heading), _BACKGROUND)
    ImageDraw.Draw(sheet).text((0, 3), title, _INK, font)
    sheet.paste(panel, (0, heading))
    return sheet


def _two_by_two(panels: list[Image.Image]) -> Image.Image:
    widths = [max(panels[i].width, panels[i + 2].width) for i in (0, 1)]
    heights = [max(panels[i].height, panels[i + 1].height) for i in (0, 2)]
    lefts = [_GAP, 2 * _GAP + widths[0]]
    tops = [_GAP, 2 * _GAP + heights[0]]
    size = lefts[1] + widths[1] + _GAP, tops[1] + heights[1] + _GAP
    sheet = Image.new("RGB", size, _BACKGROUND)
    for index, panel in enumerate(panels):
        sheet.paste(panel, (lefts[index % 2], tops[index // 2]))
    return sheet
