import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.traces.earlier_grid import find_earlier_grid
from agarnet_jax.restoration.traces.spurious_estimate import is_spurious_estimate


def text_page(size):
    """A page of gray text, to which the network assigns a low quality."""
    page = Image.new("L", size, 255)
    font = ImageFont.load_default(14)
    text = "The quick brown fox jumps over 0123456789 " * -(-size[0] // 400)
    for top in range(8, size[1] - 16, 15):
        ImageDraw.Draw(page).text((8, top), text, 0, font)
    return np.asarray(page)


def pixel_art():
    return np.kron(np.random.default_rng(0).integers(0, 255, (32, 32)), np.ones((8, 8)))


@pytest.mark.parametrize(
    ("picture", "quality"),
    [(pixel_art(), 75), (pixel_art(), 90), *((text_page((400, 300)), q) for q in (75, 90, 97))],
)
def test_a_low_estimate_of_graphics_is_spurious(encode, picture, quality):
    file = Image.open(io.BytesIO(encode(picture.astype(np.uint8), quality)))
    luma, table = np.asarray(file), JpegHeader.of(file).tables[0]
    assert is_spurious_estimate(luma, table=table, estimated_quality=12)
    assert not is_spurious_estimate(luma, table=table, estimated_quality=quality - 1)


@pytest.mark.parametrize(("first", "last"), [(10, 75), (30, 90), (55, 95)])
@pytest.mark.parametrize("shift", [0, 3])
def test_a_low_estimate_of_a_recompressed_photo_is_not_spurious(opened, photos, first, last, shift):
    for photo in photos:
        luma, _, header = opened(opened(photo, first)[1][shift:, shift:], last)
        assert not is_spurious_estimate(luma, table=header.tables[0], estimated_quality=first)


@pytest.mark.parametrize(("first", "last"), [(10, 90), (15, 70), (20, 90)])
def test_a_low_estimate_is_not_spurious_in_photos_too_small_for_grid_detection(
    opened, astronaut, first, last
):
    photo = astronaut[:256, 128:384]
    luma, _, header = opened(opened(photo, first)[1][4:, 4:], last)
    assert find_earlier_grid(luma) is None
    assert not is_spurious_estimate(luma, table=header.tables[0], estimated_quality=first)


@pytest.mark.parametrize("size", [(400, 300), (1120, 1119)])
def test_a_low_estimate_of_recompressed_gray_text_is_not_spurious(encode, size):
    """Its steps are detected at the phase of the earlier grid.

    Of a large page only the middle is examined, whose offset is no multiple of 8.
    """
    gray = np.uint8(60 + text_page(size) * (140 / 255))  # nothing is clipped
    first = np.asarray(Image.open(io.BytesIO(encode(gray, 30))))[3:, 5:]
    for luma, spurious in ((first, False), (gray[3:, 5:], True)):
        file = Image.open(io.BytesIO(encode(np.ascontiguousarray(luma), 95)))
        luma, table = np.asarray(file), JpegHeader.of(file).tables[0]
        assert is_spurious_estimate(luma, table=table, estimated_quality=30) == spurious


def test_a_low_estimate_of_doubly_quantized_text_is_not_spurious(encode):
    first = np.asarray(Image.open(io.BytesIO(encode(text_page((400, 300)), 20))))
    file = Image.open(io.BytesIO(encode(first, 75)))
    luma, table = np.asarray(file), JpegHeader.of(file).tables[0]
    assert not is_spurious_estimate(luma, table=table, estimated_quality=20)


@pytest.mark.parametrize(("quality", "estimate"), [(75, 60), (85, 70), (90, 75), (96, 80)])
def test_an_earlier_grid_in_text_without_steps_is_ignored(encode, quality, estimate):
    file = Image.open(io.BytesIO(encode(text_page((400, 300)), quality)))
    luma, table = np.asarray(file), JpegHeader.of(file).tables[0]
    assert find_earlier_grid(luma) is not None  # by chance
    assert is_spurious_estimate(luma, table=table, estimated_quality=estimate)
