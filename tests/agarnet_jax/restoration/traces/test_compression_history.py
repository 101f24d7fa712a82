import dataclasses
import io

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFont

from agarnet_jax.jpeg_tables import quality_table
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader
from agarnet_jax.restoration.traces import compression_history, double_quantization
from agarnet_jax.restoration.traces.compression_history import assess, is_spurious_estimate
from agarnet_jax.restoration.traces.earlier_grid import find_earlier_grid

SINGLE = (10, 30, 50, 75, 90, 95)
COARSER_FIRST = ((10, 30), (30, 50), (50, 75), (75, 90))


@pytest.fixture(scope="module")
def photos():
    """Three, about 200 pixels a side, reduced so that no earlier compression is detectable."""
    pictures = (skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea())
    return [np.asarray(Image.fromarray(picture).reduce(2)) for picture in pictures]


@pytest.fixture(scope="module")
def decoded(encode):
    """(colour image, quality) → the file's luma, RGB, header."""

    def decoded(image, quality):
        file = io.BytesIO(encode(np.ascontiguousarray(image), quality, subsampling="4:2:0"))
        picture = Image.open(file)
        picture.draft("YCbCr", None)
        luma = np.asarray(picture)[..., 0]
        return luma, np.asarray(Image.open(file)), JpegHeader.of(picture)

    return decoded


def test_single_compression_is_classified_as_single(photos, decoded):
    single = []
    for quality in SINGLE:
        for photo in photos:
            luma, _, header = decoded(photo, quality)
            history = assess(luma, header=header, estimated_quality=quality)
            assert history.single == (history.reasons == ())
            single.append(history.single)
    # Measured: 17 of these, 97 % of photographs (benchmarks.history).
    assert sum(single) >= 0.88 * len(single)


@pytest.mark.parametrize(("first", "last"), COARSER_FIRST)
def test_an_earlier_coarser_quantization_is_detected(photos, decoded, first, last):
    for photo in photos:
        luma, _, header = decoded(decoded(photo, first)[1], last)
        history = assess(luma, header=header, estimated_quality=None)
        assert not history.single
        reason, quality = history.reasons[-1].split(" at quality ")
        assert reason.endswith("coarser quantization")
        assert int(quality) == pytest.approx(first, abs=1)


@pytest.mark.parametrize(
    ("first", "last", "shift"),
    [
        *((30, 70, shift) for shift in ((3, 5), (1, 0), (7, 7), (4, 6))),
        *((75, 90, shift) for shift in ((0, 4), (4, 0), (4, 4), (0, 7))),
    ],
)
def test_an_earlier_grid_is_detected(photos, decoded, first, last, shift):
    _, image, _ = decoded(photos[0], first)
    luma, _, header = decoded(image[shift[0] :, shift[1] :], last)
    row, column = (-shift[0] % 8, -shift[1] % 8)
    assert find_earlier_grid(luma) == (row, column)
    history = assess(luma, header=header, estimated_quality=None)
    assert not history.single
    assert any(f"row {row}, column {column}" in reason for reason in history.reasons)


def test_an_estimate_far_below_the_header_counts_as_a_trace(photos, decoded):
    luma, _, header = decoded(photos[0], 80)
    limit = 80 - compression_history.ESTIMATE_BELOW_HEADER
    below = assess(luma, header=header, estimated_quality=limit - 1)
    assert below.reasons == (f"its pixels look like quality {limit - 1:.0f}, not 80",)
    assert assess(luma, header=header, estimated_quality=limit + 1).single


def test_only_assessed_codings_are_classified_as_single(photos, decoded):
    luma, _, header = decoded(photos[0], 50)
    for coding in (Coding.RGB, Coding.CMYK, Coding.YCCK):
        other = dataclasses.replace(header, coding=coding)
        history = assess(luma, header=other, estimated_quality=50)
        assert not history.single
        assert coding in history.reasons[0]


def test_nothing_is_detected_in_small_and_flat_images(encode):
    for image in (np.full((64, 64), 77, np.uint8), np.zeros((3, 5), np.uint8)):
        luma = np.asarray(Image.open(io.BytesIO(encode(image, 50))))
        assert find_earlier_grid(luma) is None
        assert double_quantization.evidence(luma, table=quality_table(50)) == 0


def test_luma_of_wrong_dtype_raises(photos, decoded):
    luma, _, header = decoded(photos[0], 50)
    with pytest.raises(ValueError, match="uint8, got float64"):
        assess(luma / 255, header=header, estimated_quality=None)


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
def test_a_low_estimate_of_a_recompressed_photo_is_not_spurious(
    decoded, photos, first, last, shift
):
    for photo in photos:
        luma, _, header = decoded(decoded(photo, first)[1][shift:, shift:], last)
        assert not is_spurious_estimate(luma, table=header.tables[0], estimated_quality=first)


@pytest.mark.parametrize(("first", "last"), [(10, 90), (15, 70), (20, 90)])
def test_a_low_estimate_is_not_spurious_in_photos_too_small_for_grid_detection(
    decoded, astronaut, first, last
):
    photo = astronaut[:256, 128:384]
    luma, _, header = decoded(decoded(photo, first)[1][4:, 4:], last)
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
