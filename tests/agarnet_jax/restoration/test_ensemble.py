import io

import numpy as np
import pytest
import scipy.fft
from PIL import Image

from agarnet_jax import jpeg_tables
from agarnet_jax.metrics import as_batch, psnr
from agarnet_jax.restoration import QualitySource, Restorer
from agarnet_jax.restoration.ensemble import ensembled


class Recorder:
    """A function of planes that records its arguments."""

    def __init__(self, function):
        self.function, self.calls = function, []

    def __call__(self, planes, quality, tables):
        self.calls.append((planes, quality, tables))
        return self.function(planes, quality)


def compressed(image, encode, quality):
    return np.asarray(Image.open(io.BytesIO(encode(image, quality))))


def test_the_ensemble_of_the_identity_is_the_identity(astronaut):
    planes = np.moveaxis(astronaut[:64, :40], 2, 0)[..., None].astype(np.float32)
    fake = Recorder(lambda planes, _: planes)
    tables = np.zeros((3, 101, 64), np.float32)
    mean = ensembled(fake)(planes, np.ones((3, 1, 1, 1), np.float32), tables)
    np.testing.assert_allclose(mean, planes, atol=1e-4)
    assert len({call[0].tobytes() for call in fake.calls}) == len(fake.calls) == 8


def test_every_transformed_plane_is_a_jpeg_of_its_table(gray_photo, encode):
    """Its coefficients are multiples of the steps that the network is given, but for rounding."""
    table = jpeg_tables.quality_table(30)
    decoded = compressed(np.clip(gray_photo, 60, 190), encode, 30)  # the decoder clips nothing
    fake = Recorder(lambda planes, _: planes)
    tables = np.broadcast_to(jpeg_tables.network_table(table), (1, 101, 64))
    ensembled(fake)(decoded[None, ..., None], np.full((1, 1, 1, 1), 30.0), tables)
    for planes, _, given in fake.calls:
        _, height, width, _ = planes.shape
        steps = np.empty(64)
        steps[jpeg_tables.TRANSPOSED_ZIGZAG] = 255 * given[0, 0]
        blocks = planes.reshape(height // 8, 8, width // 8, 8) - 128.0
        found = scipy.fft.dctn(blocks, axes=(1, 3), norm="ortho").transpose(0, 2, 1, 3)
        found /= steps.reshape(8, 8)
        deviation = np.abs(found - np.rint(found)) * steps.reshape(8, 8)
        # Rounding changes a pixel by at most half a level, and the DC by 4; steps are 17 or more.
        assert deviation.max() < 4.01
        assert deviation.mean() < 0.5


def test_a_quality_map_is_transformed_like_the_planes(gray_photo):
    quality = np.linspace(1, 100, gray_photo.size, dtype=np.float32)
    quality = quality.reshape(1, *gray_photo.shape, 1)
    fake = Recorder(lambda _, quality: quality)
    planes = np.zeros_like(quality)
    mean = ensembled(fake)(planes, quality, np.zeros((1, 101, 64), np.float32))
    np.testing.assert_allclose(mean, quality, rtol=1e-5)


@pytest.fixture(scope="module")
def restorer():
    return Restorer.from_pretrained("tiny")


def test_the_ensemble_restores_better(restorer, gray_photo, encode):
    """On all of the photograph: in a small part, either may be better by chance."""
    image = compressed(gray_photo, encode, 15)
    for quality in (15.0, QualitySource.MAP):
        single = restorer.restore(image, quality=quality)
        mean = restorer.restore(image, quality=quality, ensemble=8)
        np.testing.assert_array_equal(mean.quality_map, single.quality_map)
        scores = [float(psnr(as_batch(r.image), as_batch(gray_photo))[0]) for r in (single, mean)]
        assert scores[1] > scores[0]
