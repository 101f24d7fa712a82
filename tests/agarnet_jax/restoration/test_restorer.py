import concurrent.futures
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from agarnet_jax import jpeg_tables, weights
from agarnet_jax.metrics import psnr
from agarnet_jax.models import AGARNet
from agarnet_jax.restoration import QualitySource, Restorer


@pytest.fixture(scope="module")
def restorer():
    return Restorer.from_pretrained("tiny")


@pytest.fixture(scope="module")
def degraded(gray_photo, encode):
    """(128, 160) uint8 at quality 20."""
    return np.asarray(Image.open(io.BytesIO(encode(gray_photo, 20))))


def score(image, clean):
    unit = [np.asarray(x, np.float32)[None, ..., None] / 255 for x in (image, clean)]
    return float(psnr(*unit)[0])


def test_restores_what_jpeg_took(restorer, degraded, gray_photo):
    jpeg = score(degraded, gray_photo)
    for quality in (20.0, None, QualitySource.MAP):
        assert score(restorer.restore(degraded, quality=quality).image, gray_photo) > jpeg + 0.5


def test_estimates_the_quality(restorer, gray_photo, encode):
    estimates = []
    for quality in (10, 40, 80):
        image = Image.open(io.BytesIO(encode(gray_photo, quality)))
        quality_map = restorer.restore(image).quality_map
        assert quality_map.shape == gray_photo.shape
        assert np.ptp(quality_map) == 0
        estimates.append(float(quality_map.mean()))
    assert np.abs(np.array(estimates) - [10, 40, 80]).max() < 10


def test_equals_the_network_applied_by_hand(restorer, degraded):
    trained = weights.load("tiny")
    out = jax.jit(AGARNet(trained.restorer_config).apply)(
        {"params": trained.restorer_params},
        jnp.asarray(degraded[None, ..., None] / 255, jnp.float32),
        quality=20.0,
    )
    expected = np.rint(np.clip(out.restored[0, ..., 0], 0, 1) * 255)
    actual = restorer.restore(degraded, quality=20).image
    assert np.abs(actual.astype(int) - expected).max() <= 1  # ties may round either way
    assert (actual == expected).mean() > 0.999


@pytest.mark.parametrize("quality", [20.0, None, QualitySource.MAP])
def test_tiles_leave_no_seams(restorer, astronaut, encode, quality):
    image = np.asarray(Image.open(io.BytesIO(encode(astronaut[:250, 60:420], 15))))
    whole = Restorer(restorer.weights, tile=None).restore(image, quality=quality)
    tiled = Restorer(restorer.weights, tile=192).restore(image, quality=quality)
    np.testing.assert_allclose(tiled.quality_map, whole.quality_map, atol=1e-3)
    assert np.abs(tiled.image.astype(int) - whole.image).max() <= 1


def test_quality_estimated_in_tiles_is_that_of_the_whole(restorer, astronaut, encode):
    image = np.asarray(Image.open(io.BytesIO(encode(astronaut[:70], 30))))[:, :, 0]
    image = np.tile(image, (1, 2))[:, :1000]  # wider than the estimator's tile
    whole = Restorer(restorer.weights, tile=None).restore(image, quality=QualitySource.MAP)
    tiled = restorer.restore(image, quality=QualitySource.MAP)
    assert np.ptp(whole.quality_map) > 1
    np.testing.assert_allclose(tiled.quality_map, whole.quality_map, atol=1e-3)


@pytest.mark.parametrize(("tile", "overlap"), [(100, 8), (0, 8), (64, 32), (128, 9), (128, -8)])
def test_impossible_tiles_are_named(restorer, tile, overlap):
    with pytest.raises(ValueError, match=f"tile is {tile}|overlap is {overlap}"):
        Restorer(restorer.weights, tile=tile, overlap=overlap)


def test_a_pixelwise_quality_is_used_and_returned(restorer, degraded):
    quality = np.full(degraded.shape, 15.0)
    quality[:, 80:] = 60
    result = restorer.restore(degraded, quality=quality)
    np.testing.assert_array_equal(result.quality_map, quality.astype(np.float32))
    assert (result.image != restorer.restore(degraded, quality=15).image).any()


def test_the_files_own_table_stands_in_for_the_derived_one(restorer, degraded):
    derived = restorer.restore(degraded, quality=20).image
    own = restorer.restore(degraded, quality=20, table=jpeg_tables.quality_table(20)).image
    flat = restorer.restore(degraded, quality=20, table=np.full((8, 8), 99)).image
    np.testing.assert_array_equal(own, derived)
    assert (flat != derived).any()


def test_one_look_gives_every_estimate(restorer, degraded):
    estimated = restorer.estimate(degraded)
    assert estimated.keys() == set(QualitySource)
    for source, quality in estimated.items():
        expected = restorer.restore(degraded, quality=source).quality_map
        np.testing.assert_array_equal(np.broadcast_to(quality, degraded.shape), expected)
    assert restorer.estimate(degraded, sources=[QualitySource.IMAGE]).keys() == {
        QualitySource.IMAGE
    }


def test_restorers_of_one_device_each_work_side_by_side(restorer, degraded):
    expected = restorer.restore(degraded).image.astype(int)
    alone = [Restorer(restorer.weights, devices=[device]) for device in jax.local_devices()]
    assert len(alone) == 2
    with concurrent.futures.ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda one: one.restore(degraded).image, alone))
    for result in results:
        assert np.abs(result - expected).max() <= 1  # ties may round either way


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (7, 9), (8, 8), (65, 3)])
def test_any_size(restorer, degraded, size):
    image = degraded[: size[0], : size[1]]
    result = restorer.restore(image)
    assert result.image.shape == result.quality_map.shape == size
    assert result.image.dtype == np.uint8


def test_colour_keeps_its_chroma(restorer, astronaut, encode):
    image = np.asarray(Image.open(io.BytesIO(encode(astronaut[:96, 120:248], 20))))
    result = restorer.restore(image)
    assert result.image.shape == image.shape
    before, after = (
        np.asarray(Image.fromarray(x).convert("YCbCr")).astype(int) for x in (image, result.image)
    )
    inside = (result.image > 0).all(axis=2) & (result.image < 255).all(axis=2)
    assert np.abs(after - before)[inside][:, 1:].max() <= 2  # roundings of RGB and YCbCr
    assert np.abs(after - before)[..., 0].max() > 2


def test_formats_agree_within_a_level(restorer, degraded):
    expected = restorer.restore(degraded).image.astype(float)
    wide = restorer.restore(degraded.astype(np.uint16) * 257).image
    unit = restorer.restore(degraded.astype(np.float32) / 255).image
    picture = restorer.restore(Image.fromarray(degraded)).image
    assert wide.dtype == np.uint16
    assert unit.dtype == np.float32
    assert isinstance(picture, Image.Image)
    for other in (wide / 257, unit * 255, np.asarray(picture)):
        assert np.abs(other - expected).max() <= 0.51


@pytest.mark.parametrize("quality", [0, 101, float("nan"), np.ones((3, 3))])
def test_impossible_quality_is_named(restorer, degraded, quality):
    with pytest.raises(ValueError, match=r"1–100|shape"):
        restorer.restore(degraded, quality=quality)


def test_an_impossible_table_is_named(restorer, degraded):
    with pytest.raises(ValueError, match=r"\(8, 8\)"):
        restorer.restore(degraded, quality=20, table=np.ones(64))
