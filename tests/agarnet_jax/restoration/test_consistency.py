import io

import numpy as np
import pytest
import scipy.fft
from PIL import Image

from agarnet_jax.jpeg_tables import quality_table
from agarnet_jax.restoration.consistency import project

ENCODER = 0.25  # levels, the margin for its integer arithmetic


@pytest.fixture
def pair(gray_photo, encode):
    """quality → a clean image, its JPEG, its table; sides no multiples of 8."""

    def pair(quality):
        clean = gray_photo[:61, :99]
        return (
            clean,
            np.asarray(Image.open(io.BytesIO(encode(clean, quality)))),
            quality_table(quality),
        )

    return pair


def coefficients(levels):
    height, width = (side - side % 8 for side in levels.shape)
    blocks = levels[:height, :width].reshape(height // 8, 8, width // 8, 8)
    return scipy.fft.dctn(blocks.astype(float), axes=(1, 3), norm="ortho").transpose(0, 2, 1, 3)


def off(image, clean, table):
    """How far coefficients lie outside of the intervals of the clean image's, in levels."""
    quantized = table * np.rint(coefficients(clean - 128.0) / table)
    distance = np.abs(coefficients(255.0 * image - 128) - quantized)
    return np.maximum(0, distance - table / 2 - ENCODER)


@pytest.mark.parametrize("quality", [1, 10, 40, 75, 92, 100])
def test_the_original_is_consistent_with_its_jpeg(pair, quality):
    clean, degraded, table = pair(quality)
    unit = (clean / 255).astype(np.float32)
    projected = project(unit, degraded=degraded, table=table)
    np.testing.assert_allclose(projected, unit, atol=2e-6)  # float32, there and back


def test_flat_areas_are_consistent_though_all_their_pixels_are_rounded_alike(encode):
    for quality in (60, 80, 91, 95, 98):
        clean = np.arange(40, 216, dtype=np.uint8).repeat(8)[None].repeat(8, axis=0)
        degraded = np.asarray(Image.open(io.BytesIO(encode(clean, quality))))
        unit = (clean / 255).astype(np.float32)
        projected = project(unit, degraded=degraded, table=quality_table(quality))
        np.testing.assert_allclose(projected, unit, atol=2e-6)


@pytest.mark.parametrize("quality", [5, 10, 20])  # steps of more than 8: intervals are known
def test_what_is_outside_comes_to_the_nearest_end(pair, quality):
    clean, degraded, table = pair(quality)
    noise = np.random.default_rng(0).normal(0, 0.1, clean.shape)
    wrong = (clean / 255 + noise).astype(np.float32)
    projected = project(wrong, degraded=degraded, table=table)
    clipped = ((degraded == 0) | (degraded == 255))[:56, :96]
    inside = ~clipped.reshape(7, 8, 12, 8).any(axis=(1, 3))
    assert inside.any()
    assert off(wrong, clean, table)[inside].max() > 1
    # float32 coefficients up to 2040, and ties in the encoder's rounding
    assert np.quantile(off(projected, clean, table)[inside], 0.999) < 1e-3
    error = (np.square(image - clean / 255).sum() for image in (projected, wrong))
    assert next(error) < next(error)
    again = project(projected, degraded=degraded, table=table)
    np.testing.assert_allclose(again, projected, atol=2e-6)
    np.testing.assert_array_equal(projected[56:], wrong[56:])
    np.testing.assert_array_equal(projected[:, 96:], wrong[:, 96:])


def test_blocks_that_the_decoder_clipped_are_left_alone():
    degraded = np.full((8, 16), 128, np.uint8)
    degraded[3, 3] = 255
    wrong = np.random.default_rng(0).random((8, 16), dtype=np.float32)
    projected = project(wrong, degraded=degraded, table=np.ones((8, 8)))
    np.testing.assert_array_equal(projected[:, :8], wrong[:, :8])
    assert np.abs(projected[:, 8:] - 128 / 255).max() < np.abs(wrong[:, 8:] - 128 / 255).max() / 2


def test_images_smaller_than_a_block_pass(gray_photo):
    small = (gray_photo[:5, :7] / 255).astype(np.float32)
    projected = project(small, degraded=gray_photo[:5, :7], table=np.ones((8, 8)))
    np.testing.assert_array_equal(projected, small)


@pytest.mark.parametrize(
    ("degraded", "table", "message"),
    [
        (np.zeros((8, 16), np.uint8), np.ones((8, 8)), "of one size"),
        (np.zeros((8, 8), np.float32), np.ones((8, 8)), "uint8"),
        (np.zeros((8, 8), np.uint8), np.ones(64), r"\(8, 8\), got shape \(64,\)"),
    ],
)
def test_what_does_not_fit_is_named(degraded, table, message):
    with pytest.raises(ValueError, match=message):
        project(np.zeros((8, 8), np.float32), degraded=degraded, table=table)
