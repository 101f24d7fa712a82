import io

import numpy as np
import pytest
import scipy.fft
from PIL import Image

from agarnet_jax import jpeg_tables
from agarnet_jax.metrics import as_batch, psnr
from agarnet_jax.restoration import QualitySource, Restored, Restorer
from agarnet_jax.restoration.ensemble import restore_ensemble
from agarnet_jax.restoration.restorer import Orientation


class Fake:
    """A restorer whose result is what a function makes of its arguments; remembers them."""

    def __init__(self, function):
        self.function, self.calls = function, []

    def restore(self, image, *, quality, table, orientation):
        self.calls.append((image, quality, table, orientation))
        return Restored(self.function(image, quality), np.zeros(image.shape[:2]))


def compressed(image, encode, quality):
    return np.asarray(Image.open(io.BytesIO(encode(image, quality))))


@pytest.mark.parametrize("size", [(64, 40), (61, 37), (1, 9)])
def test_of_a_restorer_that_changes_nothing_it_is_the_image(astronaut, size):
    image = astronaut[: size[0], : size[1]]
    for given in (image, image[..., 0], (image / 255).astype(np.float32)):
        fake = Fake(lambda image, _: image)
        result = restore_ensemble(given, restorer=fake, quality=30.0).image
        assert result.dtype == given.dtype
        np.testing.assert_allclose(result, given, atol=1e-6)
        assert len(fake.calls) == 8
        assert all(side % 8 == 0 for call in fake.calls for side in call[0].shape[:2])
        if min(size) > 1:  # else turned ones are alike
            assert len({call[0].tobytes() for call in fake.calls}) == 8


def test_every_turned_image_is_a_jpeg_of_its_table(gray_photo, encode):
    """Its coefficients are multiples of the steps that the restorer is told, but for rounding."""
    table = jpeg_tables.quality_table(30)
    gray = np.clip(gray_photo, 60, 190)  # the decoder clips nothing
    fake = Fake(lambda image, _: image)
    restore_ensemble(compressed(gray, encode, 30), restorer=fake, quality=30, table=table)
    for image, _, told, _ in fake.calls:
        height, width = image.shape
        blocks = image.reshape(height // 8, 8, width // 8, 8) * 255.0 - 128
        found = scipy.fft.dctn(blocks, axes=(1, 3), norm="ortho").transpose(0, 2, 1, 3) / told
        away = np.abs(found - np.rint(found)) * told
        # Rounding of pixels: half a level of each at most, 4 of their mean; steps are 17 or more.
        assert away.max() < 4.01
        assert away.mean() < 0.5


def test_a_quality_map_turns_with_the_image(gray_photo):
    quality = np.linspace(1, 100, gray_photo.size, dtype=np.float32).reshape(gray_photo.shape)
    quality = quality[:61, :99]
    fake = Fake(lambda _, quality: (quality / 100).astype(np.float32))
    image = (gray_photo[:61, :99] / 255).astype(np.float32)
    result = restore_ensemble(image, restorer=fake, quality=quality)
    np.testing.assert_allclose(result.image, quality / 100, atol=1e-6)
    np.testing.assert_array_equal(result.quality_map, quality)


@pytest.fixture(scope="module")
def restorer():
    return Restorer.from_pretrained("tiny")


def test_tables_derived_for_a_transposed_image_are_transposed(restorer, gray_photo, encode):
    # Not rounded to levels: trained networks need not depend on tables by as much.
    image = compressed(gray_photo[:64, :64], encode, 20).T.astype(np.float32) / 255
    table = jpeg_tables.quality_table(20).T
    expected = restorer.restore(image, quality=20, table=table).image
    turned = {"orientation": Orientation.TRANSPOSED}
    np.testing.assert_array_equal(restorer.restore(image, quality=20, **turned).image, expected)
    by_map = restorer.restore(image, quality=np.full(image.shape, 20.0), **turned).image
    np.testing.assert_allclose(by_map, expected, atol=1e-6)  # sums in another order
    assert np.abs(restorer.restore(image, quality=20).image - expected).max() > 2e-6


def test_it_restores_at_least_as_well(restorer, gray_photo, encode):
    gray = gray_photo[:64, :64]
    image = compressed(gray, encode, 15)
    for quality in (15.0, QualitySource.MAP):
        single = restorer.restore(image, quality=quality)
        mean = restore_ensemble(image, restorer=restorer, quality=quality)
        np.testing.assert_allclose(mean.quality_map, single.quality_map, rtol=1e-5)  # of float
        scores = [float(psnr(as_batch(r.image), as_batch(gray))[0]) for r in (single, mean)]
        assert scores[1] > scores[0]
