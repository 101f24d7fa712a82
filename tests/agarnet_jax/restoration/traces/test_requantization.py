import io

import numpy as np
import pytest
import scipy.fft
from PIL import Image

from agarnet_jax.jpeg_tables import ANNEX_K_CHROMINANCE, effective_quality, quality_table
from agarnet_jax.restoration import block_transform
from agarnet_jax.restoration.traces import block_sample, requantization


def blocks_of(levels):
    rows, columns = (side // 8 for side in levels.shape)
    return levels.astype(np.float32).reshape(rows, 8, columns, 8).swapaxes(1, 2)


def errors(levels, quality):
    """Returns found and expected errors of the blocks of (H, W) levels."""
    blocks = blocks_of(levels)
    coefficients = scipy.fft.dctn(blocks - 128, axes=(2, 3), norm="ortho")
    return requantization.errors(blocks, coefficients, quality_table(quality))


def found_quality(plane, table=None):
    found = requantization.find_table(plane, table=table)
    return None if found is None else effective_quality(found)


@pytest.mark.parametrize("again", [40, 60, 75])
def test_errors_equal_those_of_saving_the_image_again(photo, decoded, again):
    """By libjpeg, whose integer arithmetic rounds a few coefficients to another multiple."""
    plane = decoded(photo, 60)
    saved = decoded(np.uint8(np.rint(255 * plane)), again)
    expected = np.square(blocks_of(np.rint(255 * saved) - np.rint(255 * plane))).mean((2, 3))
    found, _ = errors(np.rint(255 * plane), again)
    assert np.isclose(found, expected, atol=0.3, rtol=0.05).mean() > 0.99
    assert (found.mean() < 0.1) == (again == 60)


def test_expected_errors_are_those_of_blocks_that_were_never_compressed(photo):
    """On average; blocks that keep no AC coefficient have none."""
    found, expected = errors(photo, 50)
    used = expected > 0
    assert found[used].sum() == pytest.approx(expected[used].sum(), rel=0.1)
    ramp = np.tile(np.arange(8), (8, 1)) + 100
    assert errors(ramp, 10)[1] == 0
    assert errors(ramp, 90)[1] > 0


@pytest.mark.parametrize(
    "qualities", [(3,), (10,), (30,), (60,), (90,), (98,), (40, 60), (55, 65), (40, 60, 80)]
)
def test_the_table_is_that_of_the_last_compression(photo, astronaut, encode, decoded, qualities):
    for image in (photo, astronaut):
        for quality in qualities[:-1]:
            image = np.asarray(Image.open(io.BytesIO(encode(image, quality))))
        found = requantization.find_table(decoded(image, qualities[-1]))
        np.testing.assert_array_equal(found, quality_table(qualities[-1]))


def test_the_table_of_small_images_is_found(photo, decoded):
    for quality in (30, 60, 90):
        assert found_quality(decoded(photo[100:140, 200:240], quality)) == quality


def test_weak_noise_around_a_small_photograph_does_not_count(photo, decoded):
    plane = np.random.default_rng(0).integers(127, 129, (256, 512)) / 255
    plane[64:96, 64:96] = decoded(photo[100:132, 200:232], 60)
    assert found_quality(plane) == 60


def test_of_equally_good_tables_the_middle_one_is_found():
    """Only the first horizontal frequency is in use, whose step of 11 qualities 48–52 share."""
    coefficients = np.zeros((1, 16, 8, 8), np.float32)
    coefficients[..., 0, 1] = 11 * np.arange(1, 17)
    plane = np.rint(block_transform.inverse(coefficients) + 128) / 255
    assert found_quality(plane) == 50


@pytest.mark.parametrize("quality", [30, 60, 75, 90, 95])
def test_clipped_blocks_reveal_the_table_of_text(page, decoded, quality):
    assert found_quality(decoded(page(), quality)) == pytest.approx(quality, abs=1)


@pytest.mark.parametrize("colors", [{}, {"ink": 230, "paper": 30}], ids=["on white", "on dark"])
def test_a_photograph_pasted_into_a_page_reveals_its_table(page, photo, decoded, colors):
    for quality in (20, 50, 80):
        plane = page(384, **colors).astype(np.float32) / 255
        plane[128:256, 128:256] = decoded(photo[64:192, 160:288], quality)
        assert found_quality(plane) == quality


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_the_table_of_rotated_images_is_found_transposed(photo, decoded, quality):
    found = requantization.find_table(np.rot90(decoded(photo, quality)))
    np.testing.assert_array_equal(found, quality_table(quality).T)


def test_no_table_agrees_without_an_aligned_ijg_compression(page, photo, decoded):
    once = np.rint(255 * decoded(photo, 60)).astype(np.uint8)
    smooth = np.rint(6 + 3 * np.hypot(*np.mgrid[:8, :8])).astype(int)
    others = np.full((8, 8), 9), smooth, 2 * smooth, quality_table(30, base=ANNEX_K_CHROMINANCE)
    by_others = [
        np.rint(255 * decoded(photo, qtables=[table.ravel().tolist()])).astype(np.uint8)
        for table in others
    ]
    for plane in (
        photo,
        np.asarray(Image.fromarray(photo).reduce(2)),
        np.asarray(Image.fromarray(once).resize((400, 400))),
        once[3:, 5:],
        page(),
        page(ink=230, paper=30),
        np.rint(255 * decoded(photo, 99)).astype(np.uint8),
        *by_others,
    ):
        assert found_quality(plane) is None


def test_repeated_blocks_count_once(decoded):
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    tiles = np.tile(np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8), (32, 32))
    for image in (ramp, tiles):
        assert found_quality(image) is None
        assert found_quality(decoded(image, 50)) is None


@pytest.mark.parametrize("shape", [(1, 1), (7, 100), (100, 7), (8, 8), (64, 64)])
def test_flat_images_agree_with_no_table(shape):
    assert requantization.find_table(np.full(shape, 0.5, np.float32)) is None


def test_a_given_table_is_found_only_if_blocks_agree_with_it(photo, decoded):
    table = np.rint(6 + 3 * np.hypot(*np.mgrid[:8, :8])).astype(int)
    plane = decoded(photo, qtables=[table.ravel().tolist()])
    np.testing.assert_array_equal(requantization.find_table(plane, table=table), table)
    assert found_quality(decoded(photo, 75), table=table) == 75
    assert found_quality(photo, table=table) is None


def test_only_a_part_of_a_large_image_is_read(decoded, photo):
    image = np.tile(decoded(photo, 30), (6, 2))
    read = 0

    class CountingPlane:
        shape = image.shape

        def __getitem__(self, region):
            nonlocal read
            read += image[region].size
            return image[region]

    assert found_quality(CountingPlane()) == 30
    assert read <= 2**17


@pytest.mark.parametrize(
    ("size", "corner"),
    [((1024, 512), (512, 0)), ((744, 1024), (128, 0)), ((1000, 1024), (256, 512))],
)
def test_blocks_are_sampled_from_all_of_a_large_image(photo, decoded, size, corner):
    plane = np.ones(size, np.float32)
    plane[corner[0] :, corner[1] :][:512, :512] = decoded(photo, 60)
    assert found_quality(plane) == 60


@pytest.mark.parametrize("size", [(40, 48), (64, 2000), (104, 1024)])
def test_every_block_of_a_small_image_is_sampled_once(size):
    numbers = np.arange(size[0] // 8 * (size[1] // 8)) % 256  # neighbours differ
    plane = numbers.reshape(size[0] // 8, -1).repeat(8, axis=0).repeat(8, axis=1)
    found = block_sample.sample_blocks(plane.astype(np.uint8))
    np.testing.assert_array_equal(np.sort(found[:, 0, 0]), np.sort(numbers))
