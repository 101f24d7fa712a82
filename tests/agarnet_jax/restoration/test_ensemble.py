import io

import numpy as np
import pytest
import scipy.fft
from PIL import Image

from agarnet_jax import jpeg_tables
from agarnet_jax.metrics import as_batch, psnr
from agarnet_jax.restoration import QualitySource, Restorer
from agarnet_jax.restoration.ensemble import ensembled
from agarnet_jax.restoration.restorer import Orientation


class Recorded:
    """A function of planes that remembers what it got."""

    def __init__(self, function):
        self.function, self.calls = function, []

    def __call__(self, planes, quality, tables):
        self.calls.append((planes, quality, tables))
        return self.function(planes, quality)


def compressed(image, encode, quality):
    return np.asarray(Image.open(io.BytesIO(encode(image, quality))))


def test_of_a_function_that_returns_the_planes_it_is_the_planes(astronaut):
    planes = np.moveaxis(astronaut[:64, :40], 2, 0)[..., None].astype(np.float32)
    fake = Recorded(lambda planes, _: planes)
    tables = np.zeros((3, 101, 64), np.float32)
    mean = ensembled(fake)(planes, np.ones((3, 1, 1, 1), np.float32), tables)
    np.testing.assert_allclose(mean, planes, atol=1e-4)
    assert len({call[0].tobytes() for call in fake.calls}) == len(fake.calls) == 8


def test_every_turned_plane_is_a_jpeg_of_its_table(gray_photo, encode):
    """Its coefficients are multiples of the steps that the network is told, but for rounding."""
    table = jpeg_tables.quality_table(30)
    decoded = compressed(np.clip(gray_photo, 60, 190), encode, 30)  # the decoder clips nothing
    fake = Recorded(lambda planes, _: planes)
    tables = np.broadcast_to(jpeg_tables.network_table(table), (1, 101, 64))
    ensembled(fake)(decoded[None, ..., None], np.full((1, 1, 1, 1), 30.0), tables)
    for planes, _, told in fake.calls:
        _, height, width, _ = planes.shape
        steps = np.empty(64)
        steps[jpeg_tables.TRANSPOSED_ZIGZAG] = 255 * told[0, 0]
        blocks = planes.reshape(height // 8, 8, width // 8, 8) - 128.0
        found = scipy.fft.dctn(blocks, axes=(1, 3), norm="ortho").transpose(0, 2, 1, 3)
        found /= steps.reshape(8, 8)
        away = np.abs(found - np.rint(found)) * steps.reshape(8, 8)
        # Rounding of pixels: half a level of each at most, 4 of their mean; steps are 17 or more.
        assert away.max() < 4.01
        assert away.mean() < 0.5


def test_a_quality_map_turns_with_the_planes(gray_photo):
    quality = np.linspace(1, 100, gray_photo.size, dtype=np.float32)
    quality = quality.reshape(1, *gray_photo.shape, 1)
    fake = Recorded(lambda _, quality: quality)
    planes = np.zeros_like(quality)
    mean = ensembled(fake)(planes, quality, np.zeros((1, 101, 64), np.float32))
    np.testing.assert_allclose(mean, quality, rtol=1e-5)


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
    gray = gray_photo  # all of it: in a small part either may be better by chance
    image = compressed(gray, encode, 15)
    for quality in (15.0, QualitySource.MAP):
        single = restorer.restore(image, quality=quality)
        mean = restorer.restore(image, quality=quality, ensemble=8)
        np.testing.assert_array_equal(mean.quality_map, single.quality_map)
        scores = [float(psnr(as_batch(r.image), as_batch(gray))[0]) for r in (single, mean)]
        assert scores[1] > scores[0]


def test_an_impossible_size_is_named(restorer, gray_photo):
    with pytest.raises(ValueError, match="ensemble is 4"):
        restorer.restore(gray_photo, ensemble=4)
