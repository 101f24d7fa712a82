import jax
import numpy as np
import pytest
import scipy.fft

from agarnet_jax.losses import (
    LossConfig,
    LossKind,
    charbonnier,
    frequency_l1,
    image_loss,
    l1,
    mse,
    rmse,
)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    clean = rng.random((2, 16, 24, 1), np.float32)
    errors = rng.normal(0, [[[[0.02]]], [[[0.3]]]], clean.shape)  # of different size per image
    return (clean + errors).astype(np.float32), clean


DISTANCES = {
    LossKind.L1: lambda d: np.abs(d).mean(),
    LossKind.CHARBONNIER: lambda d: (np.hypot(d, 0.05) - 0.05).mean(),
    LossKind.MSE: lambda d: (d**2).mean(),
    LossKind.RMSE: lambda d: np.sqrt((d**2).mean(axis=(1, 2, 3))).mean(),
}


@pytest.mark.parametrize("kind", LossKind)
def test_image_loss_computes_each_kind(pair, kind):
    difference = np.subtract(*(image.astype(np.float64) for image in pair))
    config = LossConfig(kind=kind, charbonnier_epsilon=0.05)
    # Float32 sums of 768 values.
    assert image_loss(*pair, config) == pytest.approx(DISTANCES[kind](difference), rel=1e-5)


def test_charbonnier_is_zero_and_quadratic_for_equal_images(pair):
    image = pair[0]
    assert charbonnier(image, image, epsilon=1e-3) == 0
    assert charbonnier(image + 1e-5, image, epsilon=1e-3) < 1e-7


def test_rmse_has_a_zero_gradient_for_equal_images(pair):
    gradient = jax.grad(rmse)(pair[1], pair[1])
    np.testing.assert_array_equal(gradient, 0)


def test_frequency_l1_equals_l1_of_scipys_block_dct(pair):
    difference = np.subtract(*(image.astype(np.float64) for image in pair))
    blocks = difference.reshape(2, 2, 8, 3, 8)
    expected = np.abs(scipy.fft.dctn(blocks, axes=(2, 4), norm="ortho")).mean()
    assert frequency_l1(*pair) == pytest.approx(expected, rel=1e-5)


def test_different_shapes_raise(pair):
    image, other = pair
    for loss in (l1, mse, rmse, frequency_l1, lambda a, b: charbonnier(a, b, epsilon=1e-3)):
        with pytest.raises(ValueError, match="equal shapes"):
            loss(image, other[:1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"charbonnier_epsilon": 0.0}, "epsilon is 0.0; it must be above 0"),
        ({"frequency_weight": -1.0}, "frequency_weight is -1.0; it must be 0 or more"),
        ({"kind": "l2"}, "LossConfig.kind is 'l2'; choose one of: l1, charbonnier, mse, rmse"),
    ],
)
def test_invalid_settings_raise(options, message):
    with pytest.raises(ValueError, match=message):
        LossConfig(**options)
