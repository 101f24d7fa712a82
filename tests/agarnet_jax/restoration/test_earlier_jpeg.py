import io

import numpy as np
import pytest
import skimage.data
from PIL import Image

from agarnet_jax.metrics import as_batch, psnr
from agarnet_jax.restoration import QualitySource, Restorer
from agarnet_jax.restoration.earlier_jpeg import RecoveredPlane, recover_earlier_jpeg
from agarnet_jax.restoration.splitting import split

WHOLE = slice(None), slice(None)


@pytest.fixture(scope="module")
def photo():
    """(195, 236) gray, reduced so that no earlier compression is detectable; no whole blocks."""
    return np.asarray(Image.fromarray(skimage.data.coffee()).convert("L").reduce(2))[5:, 40:276]


@pytest.fixture(scope="module")
def saved(encode):
    """(array, qualities) → the last of successively compressed JPEG files, as a picture."""

    def saved(image, *qualities):
        for quality in qualities:
            picture = Image.open(io.BytesIO(encode(np.asarray(image), quality)))
            image = np.asarray(picture)
        return picture

    return saved


def levels(plane):
    return np.rint(255 * plane[WHOLE])


def score(image, clean):
    return float(psnr(*(as_batch(np.asarray(x)) for x in (image, clean)))[0])


def test_graphics_around_a_recompressed_photograph_were_never_compressed(page, photo, saved):
    graphics = page(64)[:, :232]
    plane = split(np.concatenate([np.asarray(saved(photo, 40, 60))[:192, :232], graphics])).primary
    recovered = recover_earlier_jpeg(plane)
    assert isinstance(recovered, RecoveredPlane)
    assert recovered.detected_quality == pytest.approx(40, abs=1)
    np.testing.assert_array_equal(recovered.uncompressed_blocks, plane.uncompressed_blocks)
    assert plane.uncompressed_blocks[24:].mean() > 0.9


@pytest.mark.parametrize(
    ("qualities", "has_header"),
    [
        *(((40, 60), known) for known in (True, False)),
        *(((55, 65), known) for known in (True, False)),
        *(((75, 85), known) for known in (True, False)),
        ((20, 80), True),  # hardly changed; by its pixels alone, it fits the first
    ],
)
def test_the_earlier_jpeg_is_recovered(photo, saved, qualities, has_header):
    first, last = np.asarray(saved(photo, qualities[0])), saved(photo, *qualities)
    plane = recover_earlier_jpeg(split(last if has_header else np.asarray(last)).primary)
    assert plane.detected_quality == pytest.approx(qualities[0], abs=1)
    blocks = slice(0, 192), slice(0, 232)
    errors = levels(plane)[blocks] - first[blocks]
    errors_before = np.asarray(last, float)[blocks] - first[blocks]
    assert (errors == 0).mean() > 0.9
    assert (errors**2).mean() < (errors_before**2).mean() / 3
    np.testing.assert_array_equal(levels(plane)[192:], np.asarray(last)[192:])
    np.testing.assert_array_equal(levels(plane)[:, 232:], np.asarray(last)[:, 232:])


@pytest.mark.parametrize("qualities", [(60,), (60, 60), (80, 60)])
def test_a_plane_without_a_coarser_earlier_jpeg_is_returned_as_is(photo, saved, qualities):
    plane = split(saved(photo, *qualities)).primary
    assert recover_earlier_jpeg(plane) is plane


def test_several_recompressions_are_undone_in_turn(photo, saved):
    plane = recover_earlier_jpeg(split(saved(photo, 40, 60, 80)).primary)
    assert [recompression.quality for recompression in plane.recompressions] == [60, 40]
    first = np.asarray(saved(photo, 40))
    assert (levels(plane) == first)[:192, :232].mean() > 0.9


def test_blocks_edited_in_between_are_left_unchanged(photo, saved):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64))
    edited = np.array(saved(photo, 40))
    edited[64:128, 64:128] = noise
    last = saved(edited, 60)
    plane = recover_earlier_jpeg(split(last).primary)
    assert isinstance(plane, RecoveredPlane)
    inside = slice(64, 128), slice(64, 128)
    same = (levels(plane) == np.asarray(last))[inside].reshape(8, 8, 8, 8).all(axis=(1, 3))
    assert same.mean() > 0.9
    outside = np.ones((192, 232), bool)
    outside[inside] = False
    assert (levels(plane)[:192, :232] == np.asarray(edited)[:192, :232])[outside].mean() > 0.9


@pytest.mark.parametrize("region", [(3, 20, 5, 13), (0, 8, 0, 8), (186, 195, 225, 236)])
def test_parts_equal_those_of_the_whole_plane(photo, saved, region):
    plane = recover_earlier_jpeg(split(saved(photo, 40, 60)).primary)
    top, bottom, left, right = region
    part = slice(top, bottom), slice(left, right)
    np.testing.assert_array_equal(plane[part], plane[WHOLE][part])


def test_a_fraction_interpolates_between_both_planes(photo, saved):
    plane = split(saved(photo, 40, 60)).primary
    now, before, half = (
        p[WHOLE]
        for p in (plane, recover_earlier_jpeg(plane), recover_earlier_jpeg(plane, fraction=0.5))
    )
    np.testing.assert_allclose(half, (now + before) / 2, atol=1e-6)


@pytest.fixture(scope="module")
def restorer():
    return Restorer.from_pretrained("tiny")


@pytest.mark.parametrize("source", [None, QualitySource.MAP])
@pytest.mark.parametrize("as_array", [False, True])
def test_the_first_jpeg_is_restored(restorer, photo, saved, source, as_array):
    first, last = saved(photo, 40), saved(photo, 40, 60)
    image = np.asarray(last) if as_array else last
    blind = restorer.restore(image, quality=source)
    assert blind.quality_map.mean() == pytest.approx(40, abs=2)  # the cells of a map are noisy
    assert np.shape(blind.image)[:2] == photo.shape or blind.image.size == photo.shape[::-1]
    non_blind = score(restorer.restore(first, quality=40).image, photo)
    assert score(blind.image, photo) > non_blind - 0.15
    network = Restorer(restorer.weights, use_traces=False)
    assert score(blind.image, photo) > score(network.restore(image).image, photo) + 0.2


def test_the_estimate_is_that_of_the_first_jpeg(restorer, photo, saved):
    again = np.asarray(saved(photo, 40, 60))
    assert restorer.estimate(again)[QualitySource.IMAGE] == pytest.approx(40, abs=0.5)


def test_chroma_is_left_unchanged(restorer, astronaut, encode):
    picture = Image.open(io.BytesIO(encode(astronaut[:160, 100:292], 40, subsampling="4:4:4")))
    again = io.BytesIO()
    picture.save(again, "JPEG", quality=60, subsampling="4:4:4")
    last = Image.open(again)
    luma_only = np.asarray(restorer.restore(last, chroma=False).image, np.float32)
    chroma = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    changes = (luma_only - np.asarray(last)) @ chroma.T
    assert np.median(np.abs(changes)) < 0.5
    clean = astronaut[:160, 100:292]
    network = Restorer(restorer.weights, use_traces=False)
    both, without = (
        r.restore(last, quality=40, bits=16).image / 65535 for r in (restorer, network)
    )
    assert (np.abs((both - without) @ chroma.T) < 1e-4).mean() > 0.95  # the rest clips in RGB
    assert score(luma_only / 255, clean / 255) > score(
        np.asarray(network.restore(last, chroma=False).image) / 255, clean / 255
    )


def test_tiles_and_batches_give_the_same_image(restorer, photo, saved):
    last = np.asarray(saved(photo, 40, 60))
    whole = restorer.restore(last)
    tiled = Restorer(restorer.weights, tile=128).restore(last)
    assert np.abs(tiled.image.astype(int) - whole.image).max() <= 1
    of_many, _ = restorer.restore_many([last, photo])
    np.testing.assert_array_equal(of_many.quality_map, whole.quality_map)
    assert np.abs(of_many.image.astype(int) - whole.image).max() <= 1


def test_a_stated_compression_is_not_undone(restorer, photo, saved):
    last = saved(photo, 40, 60)
    network = Restorer(restorer.weights, use_traces=False)
    for arguments in (
        {"quality": QualitySource.HEADER},
        {"quality": 60, "table": np.asarray(split(last).primary.table)},
    ):
        np.testing.assert_array_equal(
            np.asarray(restorer.restore(last, **arguments).image),
            np.asarray(network.restore(last, **arguments).image),
        )
    unchanged = restorer.restore(last, strength=0).image
    np.testing.assert_array_equal(np.asarray(unchanged), np.asarray(last))
    little = np.asarray(restorer.restore(last, strength=0.05).image, int) - np.asarray(last)
    everything = np.asarray(restorer.restore(last).image, int) - np.asarray(last)
    assert np.abs(little).mean() < 0.15 * np.abs(everything).mean()
