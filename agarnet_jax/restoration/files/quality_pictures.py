"""Pictures of what was assumed and what was done: the quality map, and before beside after."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from agarnet_jax.jpeg_tables import MAX_QUALITY, MIN_QUALITY
from agarnet_jax.restoration.pixels import (
    INTEGER_PEAKS,
    Picture,
    array_from_picture,
    readable,
    strips,
)

# The colour map viridis (van der Walt & Smith, 2015; CC0), perceptually uniform, at even places.
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
DIFFERENCE_GAIN = 8

_LARGEST_SIDE, _SMALLEST_SIDE = 1024, 256  # of a picture; larger are reduced, smaller enlarged
_LARGEST_PANEL = 960
_GAP, _BAR, _TICK = 12, 18, 5
_BACKGROUND, _INK = "white", "black"
_NUMBERS = (1, 20, 40, 60, 80, 100)
_SCALE_HEIGHT = 140  # of the scale, at least


def map_picture(quality_map: np.ndarray) -> Image.Image:
    """The map in colours, with a scale from 1 to 100 on which its range is marked.

    Args:
      quality_map: (H, W), quality 1–100.

    Returns:
      An RGB picture of the image and the scale beside it; large maps are reduced to 1024 pixels a
      side, small ones enlarged by a whole factor.

    Raises:
      ValueError: another shape, or values out of range.
    """
    low, high = _checked_range(quality_map)
    size = _Size.of(quality_map.shape, largest=_LARGEST_SIDE)
    return _beside_scale(_map_panel(quality_map, size), low, high)


def comparison(before: Picture, after: Picture, quality_map: np.ndarray) -> Image.Image:
    """Before, after, 8 × their difference around gray, and the quality map, each with its name.

    Args:
      before, after: of one size, Pillow pictures or arrays (H, W) or (H, W, 1–4), uint8, uint16 or
        floating point in [0, 1]. Alpha is left out.
      quality_map: (H, W), quality 1–100.

    Returns:
      An RGB picture of two by two panels, each of at most 960 pixels a side.

    Raises:
      ValueError: images of different sizes, or a map out of range.
    """
    low, high = _checked_range(quality_map)
    shapes = [_shape(before), _shape(after), quality_map.shape]
    if len(set(shapes)) > 1:
        raise ValueError(f"Before, after and map must have one size, got {shapes} (H, W).")
    size = _Size.of(shapes[0], largest=_LARGEST_PANEL)
    first, second = (_levels(image, size) for image in (before, after))
    difference = 127.5 + DIFFERENCE_GAIN * (second - first)
    qualities = f"{low:.0f}" if round(low) == round(high) else f"{low:.0f} to {high:.0f}"
    named = {
        "before": size.picture(first),
        "after": size.picture(second),
        f"difference x {DIFFERENCE_GAIN}, gray is none": size.picture(difference),
        f"assumed quality: {qualities}": _beside_scale(_map_panel(quality_map, size), low, high),
    }
    return _two_by_two([_named(panel, name) for name, panel in named.items()])


def colors(quality: np.ndarray) -> np.ndarray:
    """Quality 1–100 of any shape (…) as RGB levels (…, 3), float: dark blue is 1, yellow 100."""
    places = np.linspace(MIN_QUALITY, MAX_QUALITY, len(_VIRIDIS))
    channels = [np.interp(quality, places, channel) for channel in _VIRIDIS.T]
    return np.stack(channels, axis=-1)


@dataclasses.dataclass(frozen=True)
class _Size:
    """How a picture of `shape` is shown: `factor` pixels as one, or one as `zoom` × `zoom`."""

    shape: tuple[int, int]
    factor: int
    zoom: int

    @classmethod
    def of(cls, shape: tuple[int, ...], *, largest: int) -> "_Size":
        longer = max(shape)
        return cls((shape[0], shape[1]), -(-longer // largest), max(1, _SMALLEST_SIDE // longer))

    def picture(self, levels: np.ndarray) -> Image.Image:
        picture = Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))
        width, height = picture.size
        return picture.resize((self.zoom * width, self.zoom * height), Image.Resampling.NEAREST)


def _checked_range(quality_map: np.ndarray) -> tuple[float, float]:
    if quality_map.ndim != 2 or not quality_map.size:
        raise ValueError(f"A quality map must be (H, W), got shape {quality_map.shape}.")
    low, high = float(quality_map.min()), float(quality_map.max())
    if not MIN_QUALITY <= low <= high <= MAX_QUALITY:
        raise ValueError(f"A quality map must lie in 1–100, got {low:g} to {high:g}.")
    return low, high


def _map_panel(quality_map: np.ndarray, size: _Size) -> Image.Image:
    def read(rows: slice) -> np.ndarray:
        return quality_map[rows, :, None].astype(np.float32)

    return size.picture(colors(_reduced(read, size)[..., 0]))


def _shape(image: Picture) -> tuple[int, ...]:
    return image.shape[:2] if isinstance(image, np.ndarray) else image.size[::-1]


def _levels(image: Picture, size: _Size) -> np.ndarray:
    """(h, w, 3) float32, reduced."""
    read = _color_strips(image)
    peak = INTEGER_PEAKS.get(read(slice(0, 1)).dtype, 1)
    reduced = _reduced(read, size) * np.float32(255 / peak)
    return np.broadcast_to(reduced, (*reduced.shape[:2], 3))


def _color_strips(image: Picture) -> Callable[[slice], np.ndarray]:
    """Reads rows as gray or RGB (rows, W, 1 or 3), of the image's dtype."""
    picture = readable(image) if isinstance(image, Image.Image) else None

    def read(rows: slice) -> np.ndarray:
        if picture is None:
            pixels = np.asarray(image)[rows]
        else:
            pixels = array_from_picture(picture.crop((0, rows.start, picture.width, rows.stop)))
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        return pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1]

    return read


def _reduced(read: Callable[[slice], np.ndarray], size: _Size) -> np.ndarray:
    """Means over squares of `size.factor`, read by pieces; those the sides cut are continued."""
    return np.concatenate([_means(read(rows), size.factor) for rows in _whole_strips(size)])


def _whole_strips(size: _Size) -> Iterator[slice]:
    rows = next(iter(strips(size.shape)))
    step = -(-(rows.stop - rows.start) // size.factor) * size.factor
    return (slice(top, min(top + step, size.shape[0])) for top in range(0, size.shape[0], step))


def _means(values: np.ndarray, factor: int) -> np.ndarray:
    missing = [(0, -side % factor) for side in values.shape[:2]]
    values = np.pad(values, [*missing, (0, 0)], mode="edge")
    height, width, channels = values.shape
    down = values.reshape(height // factor, factor, width * channels).sum(axis=1, dtype=np.float32)
    return down.reshape(len(down), width // factor, factor, channels).mean(axis=2) / factor


def _beside_scale(panel: Image.Image, low: float, high: float) -> Image.Image:
    """A picture, at its right the scale of quality with numbers, and marks at `low` and `high`."""
    font = ImageFont.load_default(12)
    margin = 8  # for half of a number
    height = max(panel.height, _SCALE_HEIGHT)
    width = panel.width + _GAP + _BAR + _TICK + 34
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    sheet.paste(panel, (0, 0))
    length, left = height - 2 * margin, panel.width + _GAP
    bar = colors(np.linspace(MAX_QUALITY, MIN_QUALITY, length))[:, None].repeat(_BAR, axis=1)
    sheet.paste(Image.fromarray(np.rint(bar).astype(np.uint8)), (left, margin))
    pen = ImageDraw.Draw(sheet)

    def place(quality: float) -> float:
        share = (MAX_QUALITY - quality) / (MAX_QUALITY - MIN_QUALITY)
        return margin + share * (length - 1)

    for number in _NUMBERS:
        y = place(number)
        pen.line([(left + _BAR, y), (left + _BAR + _TICK, y)], _INK)
        pen.text((left + _BAR + _TICK + 3, y), f"{number}", _INK, font, anchor="lm")
    for quality in (low, high):
        y = place(quality)
        pen.polygon([(left - 9, y - 4), (left - 9, y + 4), (left - 1, y)], _INK)
    return sheet


def _named(panel: Image.Image, name: str) -> Image.Image:
    font = ImageFont.load_default(14)
    heading = 22
    width = max(panel.width, round(font.getlength(name)) + 1)
    sheet = Image.new("RGB", (width, panel.height + heading), _BACKGROUND)
    ImageDraw.Draw(sheet).text((0, 3), name, _INK, font)
    sheet.paste(panel, (0, heading))
    return sheet


def _two_by_two(panels: list[Image.Image]) -> Image.Image:
    widths = [max(panels[i].width, panels[i + 2].width) for i in (0, 1)]
    heights = [max(panels[i].height, panels[i + 1].height) for i in (0, 2)]
    lefts = [_GAP, 2 * _GAP + widths[0]]
    tops = [_GAP, 2 * _GAP + heights[0]]
    size = lefts[1] + widths[1] + _GAP, tops[1] + heights[1] + _GAP
    sheet = Image.new("RGB", size, _BACKGROUND)
    for number, panel in enumerate(panels):
        sheet.paste(panel, (lefts[number % 2], tops[number // 2]))
    return sheet
