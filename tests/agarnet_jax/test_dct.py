import re

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft

from agarnet_jax.dct import block_dct, block_idct
from agarnet_jax.jpeg_tables import ZIGZAG


@pytest.fixture
def image():
    return np.random.default_rng(0).random((2, 24, 40, 1), np.float32)


def test_block_dct_equals_scipy(image):
    coefficients = np.asarray(block_dct(jnp.asarray(image)))
    assert coefficients.shape == (2, 64, 3, 5, 1)
    for row in range(3):
        for col in range(5):
            block = image[:, 8 * row : 8 * row + 8, 8 * col : 8 * col + 8, 0]
            expected = scipy.fft.dctn(block, axes=(1, 2), norm="ortho").reshape(2, 64)[:, ZIGZAG]
            # Sums of 64 products of values below 1, in float32.
            np.testing.assert_allclose(coefficients[:, :, row, col, 0], expected, atol=1e-5)


def test_inverse_restores_the_image(image):
    restored = block_idct(block_dct(jnp.asarray(image)))
    np.testing.assert_allclose(restored, image, atol=1e-6)  # AGARNET.md §1


@pytest.mark.parametrize(
    "shape", [(1, 12, 8, 1), (1, 8, 12, 1), (1, 8, 8, 3), (8, 8), (1, 8, 8), (1, 1, 8, 8, 1)]
)
def test_images_of_invalid_shape_raise(shape):
    with pytest.raises(ValueError, match="multiples of 8"):
        block_dct(jnp.zeros(shape))


@pytest.mark.parametrize("shape", [(1, 32, 4, 4, 1), (1, 64, 4, 4), (1, 64, 4, 4, 3), (64,)])
def test_coefficients_of_invalid_shape_raise(shape):
    with pytest.raises(ValueError, match=rf"\(B, 64, h, w, 1\), got {re.escape(str(shape))}"):
        block_idct(jnp.zeros(shape))


def test_integers_are_transformed_without_scaling(image):
    levels = np.rint(255 * image).astype(np.uint8)
    coefficients = block_dct(levels)
    np.testing.assert_array_equal(coefficients, block_dct(levels.astype(np.float32)))
    integers = np.rint(coefficients).astype(np.int16)
    np.testing.assert_array_equal(block_idct(integers), block_idct(integers.astype(np.float32)))
