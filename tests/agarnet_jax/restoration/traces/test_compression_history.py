import dataclasses
import io

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFont

from agarnet_jax.jpeg_tables import quality_table
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader
from agarnet_jax.restoration.traces import compression_history, double_quantization
from agarnet_jax.restoration.traces.compression_history import assess, contradicts
from agarnet_jax.restoration.traces.earlier_grid import find_earlier_grid

SINGLE = (10, 30, 50, 75, 90, 95)
COARSER_FIRST = ((10, 30), (30, 50), (50, 75), (75, 90))


@pytest.fixture(scope="module")
def photos():
    """Three, about 200 pixels a side, reduced so that no older compression shows."""
    pictures = (skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea())
    return [np.asarray(Image.fromarray(picture).reduce(2)) for picture in pictures]


@pytest.fixture(scope="module")
def decoded(encode):
    """(colour image, quality) → luma as the file has it, RGB, header."""

    def decoded(image, quality):
        file = io.BytesIO(encode(np.ascontiguousarray(image), quality, subsampling="4:2:0"))
        picture = Image.open(file)
        picture.draft("YCbCr", None)
        luma = np.asarray(picture)[..., 0]
        return luma, np.asarray(Image.open(file)), JpegHeader.of(picture)

    return decoded


def test_single_files_are_called_single(photos, decoded):
    called = []
    for quality in SINGLE:
        for photo in photos:
            luma, _, header = decoded(photo, quality)
            history = assess(luma, header=header, estimated_quality=quality)
            assert history.single == (history.reasons == ())
            called.append(history.single)
    # Measured: 17 here, 97 % of photographs (benchmarks.history).
    assert sum(called) >= 0.88 * len(called)


@pytest.mark.parametrize(("first", "last"), COARSER_FIRST)
def test_an_earlier_coarser_quantization_shows(photos, decoded, first, last):
    for photo in photos:
        luma, _, header = decoded(decoded(photo, first)[1], last)
        history = assess(luma, header=header, estimated_quality=None)
        assert not history.single
        words, quality = history.reasons[-1].split(", by quality ")
        assert words.endswith("coarser quantization")
        assert int(quality) == pytest.approx(first, abs=1)


@pytest.mark.parametrize(
    ("first", "last", "shift"),
    [
        *((30, 70, shift) for shift in ((3, 5), (1, 0), (7, 7), (4, 6))),
        *((75, 90, shift) for shift in ((0, 4), (4, 0), (4, 4), (0, 7))),
    ],
)
def test_an_earlier_grid_shows(photos, decoded, first, last, shift):
    _, image, _ = decoded(photos[0], first)
    luma, _, header = decoded(image[shift[0] :, shift[1] :], last)
    place = (-shift[0] % 8, -shift[1] % 8)
    assert find_earlier_grid(luma) == place
    history = assess(luma, header=header, estimated_quality=None)
    assert not history.single
    assert any(f"row {place[0]}, column {place[1]}" in reason for reason in history.reasons)


def test_an_estimate_far_below_the_header_counts(photos, decoded):
    luma, _, header = decoded(photos[0], 80)
    limit = 80 - compression_history.ESTIMATE_BELOW_HEADER
    below = assess(luma, header=header, estimated_quality=limit - 1)
    assert below.reasons == (f"its pixels look like quality {limit - 1:.0f}, not 80",)
    assert assess(luma, header=header, estimated_quality=limit + 1).single


def test_only_files_whose_components_are_known_are_single(photos, decoded):
    luma, _, header = decoded(photos[0], 50)
    assert not assess(luma, header=None, estimated_quality=50).single
    for coding in (Coding.RGB, Coding.CMYK, Coding.YCCK):
        other = dataclasses.replace(header, coding=coding)
        history = assess(luma, header=other, estimated_quality=50)
        assert not history.single
        assert coding in history.reasons[0]


def test_small_and_flat_images_show_nothing(encode):
    for image in (np.full((64, 64), 77, np.uint8), np.zeros((3, 5), np.uint8)):
        luma = np.asarray(Image.open(io.BytesIO(encode(image, 50))))
        assert find_earlier_grid(luma) is None
        assert double_quantization.evidence(luma, table=quality_table(50)) == 0


@pytest.mark.parametrize(("earlier", "later"), [(7, 3), (12, 5), (30, 11)])
def test_likelihoods_are_those_of_drawn_coefficients(earlier, later):
    """The model against a histogram of numbers quantized once, and twice with noise between."""
    drawn = np.random.default_rng(0).laplace(0, double_quantization._SCALES[9], 400_000)
    noise = np.random.default_rng(1).normal(0, double_quantization._ROUNDING, drawn.shape)
    for first, values in (
        (None, drawn),
        (earlier, earlier * np.rint(drawn / earlier) + noise),
    ):
        model = np.exp(double_quantization._log_probabilities(later, first))
        level = np.abs(np.rint(values / later)).astype(int)
        counts = np.bincount(level, minlength=25)[1:25]
        outliers = double_quantization._OUTLIERS
        expected = (1 - outliers) * counts / counts.sum() + outliers / 24
        # Four standard errors of the largest share, and 3e-4 of the normal distribution function.
        np.testing.assert_allclose(model[9], expected, atol=0.005)


def test_another_kind_of_luma_is_named(photos):
    with pytest.raises(ValueError, match="uint8, got float64"):
        assess(photos[0][..., 0] / 255, header=None, estimated_quality=None)


def written_text(size):
    """A page of gray text, which no network takes for a photograph."""
    page = Image.new("L", size, 255)
    font = ImageFont.load_default(14)
    for top in range(8, size[1] - 16, 15):
        ImageDraw.Draw(page).text((8, top), "The quick brown fox jumps over 0123456789", 0, font)
    return np.asarray(page)


def pixel_art():
    return np.kron(np.random.default_rng(0).integers(0, 255, (32, 32)), np.ones((8, 8)))


@pytest.mark.parametrize(
    ("picture", "quality"),
    [(pixel_art(), 75), (pixel_art(), 90), *((written_text((400, 300)), q) for q in (75, 90, 97))],
)
def test_a_low_estimate_of_a_drawn_picture_is_contradicted(encode, picture, quality):
    file = Image.open(io.BytesIO(encode(picture.astype(np.uint8), quality)))
    luma, table = np.asarray(file), JpegHeader.of(file).tables[0]
    assert contradicts(luma, table=table, estimated_quality=12)
    assert not contradicts(luma, table=table, estimated_quality=quality - 1)


@pytest.mark.parametrize(("first", "last"), [(10, 75), (30, 90), (55, 95)])
@pytest.mark.parametrize("shift", [0, 3])
def test_a_low_estimate_of_a_photo_that_was_compressed_before_is_not(
    decoded, photos, first, last, shift
):
    for photo in photos:
        luma, _, header = decoded(decoded(photo, first)[1][shift:, shift:], last)
        assert not contradicts(luma, table=header.tables[0], estimated_quality=first)


@pytest.mark.parametrize(("first", "last"), [(10, 90), (15, 70), (20, 90)])
def test_a_photo_too_small_to_show_its_earlier_grid_is_not_contradicted(
    decoded, astronaut, first, last
):
    photo = astronaut[:256, 128:384]
    luma, _, header = decoded(decoded(photo, first)[1][4:, 4:], last)
    assert find_earlier_grid(luma) is None
    assert not contradicts(luma, table=header.tables[0], estimated_quality=first)


def test_an_earlier_grid_of_a_large_photo_is_read_in_its_phase(encode):
    """Of pictures larger than the part that is looked at, whose middle begins in no block."""
    photo = np.tile(skimage.data.astronaut()[..., 1], (3, 3))[:1119, :1120]
    first = np.asarray(Image.open(io.BytesIO(encode(photo, 30))))[3:, 5:]
    file = Image.open(io.BytesIO(encode(np.ascontiguousarray(first), 95)))
    luma, table = np.asarray(file), JpegHeader.of(file).tables[0]
    assert min(luma.shape) > 1024
    assert not contradicts(luma, table=table, estimated_quality=30)


@pytest.mark.parametrize(("quality", "estimate"), [(75, 60), (85, 70), (90, 75), (96, 80)])
def test_on_an_earlier_grid_of_text_steps_have_to_show(encode, quality, estimate):
    file = Image.open(io.BytesIO(encode(written_text((400, 300)), quality)))
    luma, table = np.asarray(file), JpegHeader.of(file).tables[0]
    assert find_earlier_grid(luma) is not None  # of letters, by chance
    assert contradicts(luma, table=table, estimated_quality=estimate)
