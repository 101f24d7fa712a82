import dataclasses

import numpy as np
import pytest

from data_pipelines.degradations.jpeg import EncoderOptions, Jpeg
from data_pipelines.degradations.mosaic import Mosaic, MosaicOptions, Region, halves
from data_pipelines.degradations.tables import Component


def test_each_region_equals_a_jpeg_of_its_quality(gray_photo, pillow_jpeg):
    degraded = halves(10, 80).apply(gray_photo)
    np.testing.assert_array_equal(degraded.image[:, :80], pillow_jpeg(gray_photo, 10)[:, :80])
    np.testing.assert_array_equal(degraded.image[:, 80:], pillow_jpeg(gray_photo, 80)[:, 80:])
    assert (degraded.quality[:, :80] == 10).all()
    assert (degraded.quality[:, 80:] == 80).all()
    assert (degraded.table[:, :10] == Jpeg(10).table).all()
    assert (degraded.table[:, 10:] == Jpeg(80).table).all()


def test_the_whole_image_is_encoded_last(gray_photo, pillow_jpeg):
    composite = halves(10, 80).apply(gray_photo).image
    degraded = dataclasses.replace(halves(10, 80), whole=Jpeg(90)).apply(gray_photo)
    np.testing.assert_array_equal(degraded.image, pillow_jpeg(composite, 90))
    assert (degraded.quality[:, :80] <= 10).all()
    assert (degraded.quality[:, 80:] > 60).all()
    coarse = dataclasses.replace(halves(10, 80), whole=Jpeg(5)).apply(gray_photo)
    assert (coarse.quality <= 5).all()


@pytest.mark.parametrize("shape", [(64, 64), (67, 93), (8, 8), (5, 130)])
def test_regions_tile_an_image_of_any_size(shape):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, shape, np.uint8)
    for _ in range(20):
        mosaic = MosaicOptions().draw(rng, encoder=EncoderOptions(), component=Component.LUMA)
        covered = np.zeros(shape, int)
        for region in mosaic.regions:
            covered[region.slices(*shape)] += 1
        assert (covered == 1).all()
        degraded = mosaic.apply(image)
        assert degraded.quality.shape == shape
        assert degraded.quality.min() >= 1
        assert degraded.quality.max() <= 100
        assert degraded.table.min() >= 1


def test_labels_are_constant_on_blocks(gray_photo):
    rng = np.random.default_rng(0)
    image = gray_photo[:64, :64]
    seen = set()
    for _ in range(50):
        mosaic = MosaicOptions().draw(rng, encoder=EncoderOptions(), component=Component.LUMA)
        blocks = mosaic.apply(image).quality.reshape(8, 8, 8, 8)
        assert (blocks == blocks[:, :1, :, :1]).all()
        seen.add((len(mosaic.regions), mosaic.whole is None))
    assert seen == {(n, no_whole) for n in (2, 3, 4) for no_whole in (True, False)}


def test_mosaics_of_color_images_are_encoded_in_color(astronaut):
    degraded = Mosaic((Region(0, 0, 1, 1, Jpeg(30)),)).apply(astronaut)
    np.testing.assert_array_equal(degraded.image, Jpeg(30).compress(astronaut))


def test_invalid_options_are_named():
    for bad, message in (
        ({"regions_max": 1}, "regions_max is 1; it must be >= 2"),
        ({"recompressed": -1}, "recompressed is -1"),
        ({"recompressed_quality_min": 0}, "is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            MosaicOptions(**bad)
