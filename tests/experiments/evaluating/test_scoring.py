import numpy as np
import pytest
import scipy.fft
import skimage.metrics

from agarnet_jax.jpeg_tables import ZIGZAG
from agarnet_jax.metrics import Rounding
from experiments.evaluating.scoring import Scores, gain, mean, mean_frequency_error, score


@pytest.fixture
def noisy(gray_photo):
    """A floating-point image (61, 99), not rounded, and its clean levels."""
    clean = gray_photo[:61, :99]
    noise = np.random.default_rng(0).normal(0, 0.03, clean.shape)
    return np.clip(clean / 255 + noise, 0, 1).astype(np.float32), clean


@pytest.mark.parametrize(
    ("rounding", "function"), [(Rounding.ROUND, np.rint), (Rounding.TRUNCATE, np.floor)]
)
def test_scores_match_scikit_image_and_scipy(noisy, rounding, function):
    image, clean = noisy
    levels = function(image * np.float32(255)).astype(np.uint8)
    scores = score(image, clean, rounding=rounding)
    expected = skimage.metrics.peak_signal_noise_ratio(clean, levels)
    assert scores.psnr == pytest.approx(expected, abs=1e-4)
    similarity = skimage.metrics.structural_similarity(
        clean,
        levels,
        gaussian_weights=True,
        sigma=1.5,
        win_size=11,
        data_range=255,
        use_sample_covariance=False,
    )
    assert scores.ssim_gaussian == pytest.approx(similarity, abs=1e-5)
    difference = (levels.astype(float) - clean)[:56, :96].reshape(7, 8, 12, 8)
    errors = np.square(scipy.fft.dctn(difference, axes=(1, 3), norm="ortho")).mean(axis=(0, 2))
    np.testing.assert_allclose(scores.frequency_error, errors.ravel()[ZIGZAG], rtol=1e-4)
    assert scores.psnr_b <= scores.psnr
    assert scores.estimate is None


def test_uint8_levels_are_scored_without_rounding(noisy):
    image, clean = noisy
    levels = np.rint(image * 255).astype(np.uint8)
    assert score(levels, clean, rounding=Rounding.TRUNCATE) == score(
        image, clean, rounding=Rounding.ROUND
    )


def test_colour_is_scored_over_all_channels_without_frequency_errors(astronaut):
    clean, other = astronaut[:32, :40], astronaut[1:33, :40]
    scores = score(other, clean, rounding=Rounding.ROUND)
    expected = skimage.metrics.peak_signal_noise_ratio(clean, other)
    assert scores.psnr == pytest.approx(expected, abs=1e-4)
    assert scores.frequency_error is None


def test_images_smaller_than_a_window_have_no_ssim(gray_photo):
    small = gray_photo[:9, :30]
    scores = score(small, small, rounding=Rounding.ROUND)
    assert scores.ssim_gaussian is None
    assert scores.ssim_uniform == pytest.approx(1)
    assert scores.psnr == np.inf
    with pytest.raises(ValueError, match="cannot be compared"):
        score(small, small[:8], rounding=Rounding.ROUND)


def test_the_gain_of_an_unchanged_image_is_zero():
    flat = Scores(psnr=float("inf"))
    assert gain(flat, flat) == 0
    assert gain(Scores(psnr=31.5), Scores(psnr=30.0)) == 1.5
    assert gain(Scores(psnr=31.5), flat) == -float("inf")
    assert gain(flat, Scores()) is gain(Scores(), flat) is None


def test_means_require_every_value():
    assert mean([1.0, 2.0]) == 1.5
    assert mean([1.0, None]) is None
    assert mean([]) is None
    scores = Scores(frequency_error=tuple(range(64)))
    np.testing.assert_array_equal(mean_frequency_error([scores, scores]), np.arange(64))
    assert mean_frequency_error([scores, Scores()]) is None


def test_all_scores_use_the_requested_rounding(noisy):
    image, clean = noisy
    truncated = np.floor(image * np.float32(255)).astype(np.uint8)
    assert score(image, clean, rounding=Rounding.TRUNCATE) == score(
        truncated, clean, rounding=Rounding.ROUND
    )
