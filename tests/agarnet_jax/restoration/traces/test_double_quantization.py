import io

import numpy as np
import pytest
import skimage.data
from PIL import Image

from agarnet_jax.jpeg_tables import quality_table
from agarnet_jax.restoration.traces import double_quantization
from agarnet_jax.restoration.traces.double_quantization import detect_earlier_quality


@pytest.fixture(scope="module")
def photos():
    """Gray, about 200 pixels a side, reduced so that no earlier compression is detectable."""
    pictures = (skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea())
    return [np.asarray(Image.fromarray(p).convert("L").reduce(2)) for p in pictures]


@pytest.fixture(scope="module")
def decoded(encode):
    """(array, qualities) → the pixels after successive compressions."""

    def decoded(image, *qualities, **options):
        for quality in qualities:
            image = np.asarray(Image.open(io.BytesIO(encode(image, quality, **options))))
        return image

    return decoded


@pytest.mark.parametrize(
    ("first", "last"), [(5, 50), (20, 60), (30, 90), (40, 60), (55, 65), (75, 85), (85, 90)]
)
def test_a_coarser_earlier_quality_is_detected(photos, decoded, first, last):
    for photo in photos:
        found = detect_earlier_quality(decoded(photo, first, last), table=quality_table(last))
        assert found == pytest.approx(first, abs=1)


@pytest.mark.parametrize(
    "qualities", [(10,), (40,), (75,), (90,), (98,), (60, 60), (60, 40), (95, 75)]
)
def test_nothing_is_detected_without_a_coarser_earlier_compression(photos, decoded, qualities):
    for photo in photos:
        found = detect_earlier_quality(
            decoded(photo, *qualities), table=quality_table(qualities[-1])
        )
        assert found is None


def test_the_last_table_may_be_from_another_encoder(photos, decoded, encode):
    table = np.arange(3, 67).reshape(8, 8) // 2
    zigzag = [table.ravel().tolist()]
    image = Image.open(io.BytesIO(encode(decoded(photos[0], 40), -1, qtables=zigzag)))
    in_file = np.array(image.quantization[0]).reshape(8, 8)
    assert detect_earlier_quality(np.asarray(image), table=in_file) == pytest.approx(40, abs=1)


def test_a_shifted_grid_is_not_detected_as_aligned_recompression(photos, decoded):
    for photo in photos:
        image = np.ascontiguousarray(decoded(photo, 30)[4:, 4:])
        assert detect_earlier_quality(decoded(image, 60), table=quality_table(60)) is None


def test_halves_of_different_qualities_are_not_classified_as_recompressed(photos, decoded):
    for photo in photos:
        for qualities in ((10, 50), (20, 80)):
            left, right = (decoded(photo, quality) for quality in qualities)
            middle = photo.shape[1] // 16 * 8
            halves = np.concatenate([left[:, :middle], right[:, middle:]], axis=1)
            for last in qualities:
                assert detect_earlier_quality(halves, table=quality_table(last)) is None


def test_a_mixture_of_densities_is_not_classified_as_double_quantized():
    """Quantized once, but fitted by no single density."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.laplace(0, 5, 18_000), rng.laplace(0, 100, 2_000)])
    levels = np.abs(np.rint(values / 16)).astype(int)
    histogram = np.bincount(levels[(levels > 0) & (levels <= 24)], minlength=25)[1:]
    assert double_quantization._gains(16, [20], histogram)[0] > 100
    assert double_quantization._mixture_gain(16, 20, histogram) < 0
    double = 20 * np.rint(values / 20) + rng.normal(0, 0.45, values.shape)
    levels = np.abs(np.rint(double / 16)).astype(int)
    histogram = np.bincount(levels[(levels > 0) & (levels <= 24)], minlength=25)[1:]
    assert double_quantization._mixture_gain(16, 20, histogram) > 20


def test_halves_of_two_qualities_fit_an_ijg_table_too_badly(decoded, monkeypatch):
    photo = np.asarray(Image.fromarray(skimage.data.rocket()).convert("L").reduce(2))
    middle = photo.shape[1] // 16 * 8
    halves = decoded(photo, 50).copy()
    halves[:, middle:] = decoded(photo, 90)[:, middle:]
    assert detect_earlier_quality(halves, table=quality_table(90)) is None
    monkeypatch.setattr(double_quantization, "_MIN_FRACTION_OF_FREE_GAIN", 0.0)
    assert detect_earlier_quality(halves, table=quality_table(90)) is not None


def test_a_coarse_flat_table_is_not_classified_as_recompressed(decoded, photos, monkeypatch):
    """Multiples of 40 are multiples of many steps of the table of quality 84."""
    flat = decoded(photos[0], -1, qtables=[[40] * 64])
    assert detect_earlier_quality(flat, table=quality_table(84)) is None
    monkeypatch.setattr(double_quantization, "_MIN_FRACTION_OF_FREE_GAIN", 0.0)
    assert detect_earlier_quality(flat, table=quality_table(84)) is not None


@pytest.mark.parametrize("shape", [(1, 1), (7, 100), (8, 8), (64, 64)])
def test_nothing_is_detected_in_flat_and_tiny_images(shape):
    assert detect_earlier_quality(np.full(shape, 77, np.uint8), table=quality_table(50)) is None


@pytest.mark.parametrize(("earlier", "later"), [(7, 3), (12, 5), (30, 11)])
def test_likelihoods_equal_those_of_simulated_coefficients(earlier, later):
    """Compares the model with samples quantized once, and twice with noise in between."""
    samples = np.random.default_rng(0).laplace(0, double_quantization._SCALES[9], 400_000)
    noise = np.random.default_rng(1).normal(0, double_quantization._ROUNDING, samples.shape)
    for first, values in (
        (None, samples),
        (earlier, earlier * np.rint(samples / earlier) + noise),
    ):
        model = np.exp(double_quantization._log_probabilities(later, first))
        level = np.abs(np.rint(values / later)).astype(int)
        counts = np.bincount(level, minlength=25)[1:25]
        outliers = double_quantization._OUTLIERS
        expected = (1 - outliers) * counts / counts.sum() + outliers / 24
        # Four standard errors of the largest frequency, and 3e-4 for the approximate normal CDF.
        np.testing.assert_allclose(model[9], expected, atol=0.005)
