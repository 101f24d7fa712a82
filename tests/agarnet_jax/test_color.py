import numpy as np
import pytest
import skimage.color
from PIL import Image

from agarnet_jax import color
from agarnet_jax.color import LumaRange


def test_studio_luma_equals_scikit_image(astronaut):
    expected = skimage.color.rgb2ycbcr(astronaut)[..., 0]
    actual = color.luma(astronaut, luma_range=LumaRange.STUDIO)
    np.testing.assert_allclose(actual, expected, atol=1e-3)


def test_full_luma_equals_pillow(astronaut):
    expected = np.asarray(Image.fromarray(astronaut).convert("YCbCr"))[..., 0]
    difference = np.rint(color.luma(astronaut)) - expected
    assert np.abs(difference).max() <= 1  # Pillow computes in fixed point


def test_full_to_studio_equals_the_direct_formula(astronaut):
    direct = color.luma(astronaut, luma_range=LumaRange.STUDIO)
    np.testing.assert_allclose(color.full_to_studio(color.luma(astronaut)), direct, atol=1e-9)


@pytest.mark.parametrize(("level", "studio"), [(0, 16), (255, 235)])
def test_black_and_white_map_to_the_limits_of_each_range(level, studio):
    gray = np.full((1, 1, 3), level)
    assert color.luma(gray, luma_range=LumaRange.STUDIO).item() == pytest.approx(studio)
    assert color.luma(gray).item() == pytest.approx(level)
