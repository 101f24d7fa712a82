import jax.numpy as jnp
import numpy as np
import pytest
import skimage.metrics

from agarnet_jax.losses import l1
from agarnet_jax.metrics import Rounding, psnr, to_levels


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


def test_levels_are_clipped():
    levels = to_levels(jnp.array([-1.0, 0.0, 0.5, 1.0, 2.0]))
    assert levels.tolist() == [0, 0, 128, 255, 255]


def test_l1_is_the_mean_and_refuses_to_broadcast(pair):
    noisy, clean = map(jnp.asarray, pair)
    assert l1(noisy, clean) == pytest.approx(np.abs(pair[0] - pair[1]).mean(), rel=1e-5)
    with pytest.raises(ValueError, match="must be equal"):
        l1(noisy, clean[:1])
