import functools
import math
import re

import jax.numpy as jnp
import numpy as np
import pytest
import skimage.metrics
from numpy.lib.stride_tricks import sliding_window_view

from agarnet_jax.metrics import Rounding, SsimWindow, as_batch, psnr, psnr_b, ssim, to_levels


@pytest.fixture
def pair(gray_photo):
    noise = np.random.default_rng(0).normal(0, 0.03, (2, *gray_photo.shape, 1))
    clean = np.broadcast_to(gray_photo[None, ..., None] / 255, noise.shape).astype(np.float32)
    return (clean + noise).astype(np.float32), clean


@pytest.mark.parametrize(
    ("rounding", "function"), [(Rounding.ROUND, np.rint), (Rounding.TRUNCATE, np.floor)]
)
def test_psnr_equals_scikit_image_on_8_bit_levels(pair, rounding, function):
    noisy, clean = pair
    actual = psnr(noisy, clean, rounding=rounding)
    for i in range(2):
        expected = skimage.metrics.peak_signal_noise_ratio(
            np.rint(clean[i] * 255).astype(np.uint8),
            function(np.clip(noisy[i] * np.float32(255), 0, 255)).astype(np.uint8),
        )
        assert actual[i] == pytest.approx(expected, abs=1e-4)


def test_psnr_of_equal_images_is_infinite(pair):
    assert np.isinf(psnr(pair[1], pair[1])).all()


def test_psnr_b_of_one_pixel_wide_images_is_finite():
    clean = np.linspace(0, 1, 40, dtype=np.float32).reshape(1, 1, 40, 1)
    for line in (clean, clean.swapaxes(1, 2)):
        assert 20 < psnr_b(line[..., ::-1, :] * 0.9, line[..., ::-1, :]).item() < 30


def test_as_batch_converts_8_bit_images(astronaut):
    for image in (astronaut, astronaut[..., 0]):
        batch = as_batch(image)
        assert batch.shape == (1, 512, 512, 3 if image.ndim == 3 else 1)
        np.testing.assert_array_equal(np.asarray(to_levels(batch)).reshape(image.shape), image)


def test_levels_are_clipped():
    levels = to_levels(jnp.array([-1.0, 0.0, 0.5, 1.0, 2.0]))
    assert levels.tolist() == [0, 0, 128, 255, 255]


def test_ssim_equals_scikit_image(pair):
    noisy, clean = (np.asarray(to_levels(image))[..., 0] for image in pair)
    uniform = ssim(*pair, window=SsimWindow.UNIFORM)
    gaussian = ssim(*pair, window=SsimWindow.GAUSSIAN)
    for i in range(2):
        options = {"data_range": 255, "use_sample_covariance": False}
        expected = skimage.metrics.structural_similarity(
            noisy[i], clean[i], gaussian_weights=True, sigma=1.5, win_size=11, **options
        )
        assert gaussian[i] == pytest.approx(expected, abs=1e-5)
        # By definition, since scikit-image does not support even windows.
        x, y = (sliding_window_view(image[i], (8, 8)) for image in (noisy, clean))
        means = x.mean((2, 3)), y.mean((2, 3))
        covariance = (x * y).mean((2, 3)) - means[0] * means[1]
        index = (2 * means[0] * means[1] + 6.5025) * (2 * covariance + 58.5225)
        index /= means[0] ** 2 + means[1] ** 2 + 6.5025
        index /= x.var((2, 3)) + y.var((2, 3)) + 58.5225
        assert uniform[i] == pytest.approx(index.mean(), abs=1e-5)


def test_psnr_b_adds_the_excess_of_differences_at_block_boundaries():
    height, width = 16, 24
    blocks = 10.0 * np.add.outer(np.arange(height) // 8, np.arange(width) // 8)  # differences of 10
    clean = np.full((1, height, width, 1), 100, np.float32)
    image = clean + blocks[None, ..., None].astype(np.float32)
    excess = (height * 2 + width) * 100 / (height * 2 + width)
    error = np.square(blocks).mean() + math.log2(8) / math.log2(16) * excess
    expected = 10 * np.log10(255**2 / error)
    assert float(psnr_b(image / 255, clean / 255)[0]) == pytest.approx(expected, abs=1e-4)
    slope = np.add.outer(np.arange(height), np.arange(width)).astype(np.float32)
    smooth = clean + slope[None, ..., None]  # equal differences everywhere
    plain = float(psnr(smooth / 255, clean / 255)[0])
    assert float(psnr_b(smooth / 255, clean / 255)[0]) == pytest.approx(plain, abs=1e-5)


@pytest.mark.parametrize(
    "metric",
    [psnr, psnr_b, *(functools.partial(ssim, window=window) for window in SsimWindow)],
    ids=["psnr", "psnr_b", *(f"ssim {window.value}" for window in SsimWindow)],
)
@pytest.mark.parametrize("shape", [(1, 16, 16, 1), (2, 16, 16, 3), (2, 1, 16, 1)])
def test_images_of_different_shapes_are_not_broadcast(metric, shape):
    image, other = np.zeros((2, 16, 16, 1), np.float32), np.zeros(shape, np.float32)
    for pair in ((image, other), (other, image)):
        named = rf"{re.escape(str(pair[0].shape))} and {re.escape(str(pair[1].shape))}"
        with pytest.raises(ValueError, match=named):
            metric(*pair)
