"""Draws text and shapes over images: photographs alone teach a network little about graphics."""

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data_pipelines.draws import randbelow

_CHARACTERS = "abcdefghijklmnopqrstuvwxyz    ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?-+/()%&@#"
_MIN_FONT_SIZE, _MAX_FONT_SIZE = 8, 64  # pixels; small ones are more frequent
_MAX_SHAPES, _MAX_PARAGRAPHS, _MAX_LINES = 6, 3, 8
# Probabilities: a plain background, letters without smooth edges, outlined letters, filled shapes,
# black or white, other grays.
_PLAIN, _SHARP, _OUTLINED, _FILLED, _EXTREME, _GRAY = 0.5, 0.2, 0.2, 0.5, 0.5, 0.3


def draw_graphics(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws random shapes and text over (H, W[, 3]) uint8, half of the time without the image."""
    picture = Image.fromarray(image).convert("RGB")
    if rng.random() < _PLAIN:
        picture = Image.new("RGB", picture.size, _color(rng))
    draw = ImageDraw.Draw(picture)
    for _ in range(randbelow(_MAX_SHAPES + 1, rng)):
        _draw_shape(draw, picture.size, rng)
    for _ in range(1 + randbelow(_MAX_PARAGRAPHS, rng)):
        _draw_paragraph(draw, picture.size, rng)
    return np.asarray(picture.convert("L") if image.ndim == 2 else picture)


def _draw_shape(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator) -> None:
    ends = [sorted((randbelow(side, rng), randbelow(side, rng))) for side in size]
    box = [tuple(corner) for corner in zip(*ends)]
    width = 1 + randbelow(4, rng)
    fill = _color(rng) if rng.random() < _FILLED else None
    kind = randbelow(4, rng)
    if kind == 0:
        draw.line(box, fill=_color(rng), width=width)
    elif kind == 1:
        draw.ellipse(box, fill=fill, outline=_color(rng), width=width)
    else:
        draw.rectangle(box, fill=fill, outline=_color(rng), width=width)


def _draw_paragraph(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator
) -> None:
    font_size = round(_MIN_FONT_SIZE * (_MAX_FONT_SIZE / _MIN_FONT_SIZE) ** (rng.random() ** 2))
    lines = [
        "".join(
            _CHARACTERS[randbelow(len(_CHARACTERS), rng)] for _ in range(2 * size[0] // font_size)
        )
        for _ in range(1 + randbelow(_MAX_LINES, rng))
    ]
    draw.fontmode = "1" if rng.random() < _SHARP else "L"
    draw.multiline_text(
        (randbelow(size[0], rng) - size[0] // 4, randbelow(size[1], rng) - size[1] // 4),
        "\n".join(lines),
        fill=_color(rng),
        font=_font(font_size),
        stroke_width=1 + randbelow(2, rng) if rng.random() < _OUTLINED else 0,
        stroke_fill=_color(rng),
    )


def _color(rng: np.random.Generator) -> tuple[int, int, int]:
    if rng.random() < _EXTREME:
        return (255 * randbelow(2, rng),) * 3
    if rng.random() < _GRAY:
        return (randbelow(256, rng),) * 3
    return randbelow(256, rng), randbelow(256, rng), randbelow(256, rng)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
