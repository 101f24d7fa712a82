import io

import numpy as np
import pytest
import scipy.fft
import skimage.data
from PIL import Image

from agarnet_jax.restoration.traces import grid_traces
from agarnet_jax.restoration.traces.grid import find_grid


@pytest.fixture(scope="module")
def pictures():
    """Two photographs (136, 136) uint8, reduced so that no earlier compression is detectable."""
    return [
        np.asarray(Image.fromarray(image).convert("L").resize((136, 136), reducing_gap=3))
        for image in (skimage.data.astronaut(), skimage.data.coffee()[:400, :400])
    ]


def jpeg(image, encode, quality):
    return np.asarray(Image.open(io.BytesIO(encode(image, quality))).convert("L"))


@pytest.mark.parametrize("quality", [10, 40, 75, 95])
def test_all_64_phases_are_detected(pictures, encode, quality):
    right = total = 0
    for picture in pictures:
        decoded = jpeg(picture, encode, quality)
        for row, column in np.ndindex(8, 8):
            crop = decoded[row : row + 128, column : column + 128]
            found = find_grid(crop)
            right += found is not None and (found.row, found.column) == (-row % 8, -column % 8)
            total += 1
    # Measured: all; of photographs this size (benchmarks.grid) 98 % at Q 10, else 99–100 %.
    assert right >= 0.97 * total


def test_the_grid_of_a_colour_image_is_detected_in_luma(astronaut, encode):
    decoded = np.asarray(Image.open(io.BytesIO(encode(astronaut[:160, 100:260], 50))))
    luma = decoded[5:, 2:] @ np.array([0.299, 0.587, 0.114]) / 255
    found = find_grid(luma)
    assert (found.row, found.column) == (3, 6)
    assert found.confidence > 4.5


def test_no_grid_is_detected_where_there_is_none(pictures, encode):
    rng = np.random.default_rng(0)
    rescaled = Image.fromarray(jpeg(pictures[0], encode, 30)).resize((100, 100))
    enlarged = [np.kron(pictures[1][:64, :64], np.ones((n, n), np.uint8)) for n in (2, 3)]
    fourfold = np.kron(pictures[1], np.ones((4, 4), np.uint8))
    enlarged.append(fourfold[345:441, 345:441])  # four nearly equal phases, one slightly ahead
    without = [*pictures, np.asarray(rescaled), *enlarged, rng.random((128, 128))]
    without += [np.full((64, 64), 0.25), np.linspace(0, 1, 64 * 64).reshape(64, 64)]
    without += [np.zeros(size, np.uint8) for size in ((0, 0), (1, 1), (1, 5000), (15, 15), (8, 90))]
    for image in without:
        assert find_grid(image) is None, image.shape


def test_a_grid_within_flat_surroundings_is_detected(pictures, encode):
    flat = np.full((328, 200), 250, np.uint8)
    flat[100:164, 40:104] = pictures[0][:64, :64]
    found = find_grid(jpeg(flat, encode, 75)[3:, 7:])
    assert (found.row, found.column) == (5, 1)


@pytest.mark.parametrize("quality", [30, 75])
def test_the_grid_of_a_small_photograph_in_a_page_is_detected(photo, page, encode, quality):
    """Its zeros are too few to be conclusive, but its blocks agree with a table."""
    screenshot = page(800).copy()
    assert find_grid(screenshot) is None
    screenshot[83:211, 101:229] = jpeg(photo[64:192, 160:288], encode, quality)
    found = find_grid(screenshot)
    assert (found.row, found.column) == (3, 5)
    screenshot[83:211, 101:229] = photo[64:192, 160:288]
    assert find_grid(screenshot) is None


def test_parts_of_a_large_image_suffice(pictures, encode):
    large = np.tile(pictures[0], (12, 9))
    found = find_grid(jpeg(large, encode, 50)[1:, 6:])
    assert (found.row, found.column) == (7, 2)
    examined = sum(band.size for band in grid_traces.bands(large))
    assert examined < large.size / 4


def test_only_the_examined_bands_of_a_plane_are_read(pictures, encode):
    large = jpeg(np.tile(pictures[0], (12, 9)), encode, 50)
    read = []

    class Plane:
        shape = large.shape

        def __getitem__(self, region):
            read.append(large[region])
            return large[region].astype(np.float32) / 255

    found, whole = find_grid(Plane()), find_grid(large)
    assert (found.row, found.column) == (whole.row, whole.column)
    assert sum(part.size for part in read) < large.size / 4


@pytest.mark.parametrize("zero", [0.5, 3.0])
def test_zero_counts_equal_those_of_scipys_dct(pictures, zero):
    band = (pictures[0][:39, :50].astype(np.float32) - 128) / 16  # a small mean
    counts = grid_traces.zero_counts(band, zero=zero).reshape(4, 5, 8, 8)
    for row, column in np.ndindex(32, 40):
        block = band[row : row + 8, column : column + 8].astype(np.float64)
        magnitudes = np.abs(scipy.fft.dctn(block, norm="ortho")).ravel()[1:]
        low, high = ((magnitudes < zero + error).sum() for error in (-1e-5, 1e-5))  # float32
        assert low <= counts[row // 8, column // 8, row % 8, column % 8] <= high


def test_discontinuities_are_attributed_to_the_right_neighbours_column():
    band = np.repeat(np.arange(0, 40, 8, dtype=np.float32), 8)[None, 3:].repeat(39, axis=0)
    cells = grid_traces.column_discontinuities(band)
    np.testing.assert_array_equal(
        cells,
        np.eye(8)[[5] * len(cells)] - np.eye(8)[[4] * len(cells)] - np.eye(8)[[6] * len(cells)],
    )


@pytest.mark.parametrize("luma", [np.zeros((8, 8, 3)), np.zeros((8, 8), np.int32)])
def test_invalid_luma_raises(luma):
    with pytest.raises(ValueError, match=r"luma \(H, W\).* got (float64|int32)"):
        find_grid(luma)


def test_bands_cover_the_whole_height_of_a_large_image(astronaut, encode):
    """For example, a screenshot of which only the last third is a photo."""
    photo = jpeg(astronaut, encode, 50)[3:]
    picture = np.full((3 * len(photo), photo.shape[1]), 255, np.uint8)
    picture[2 * len(photo) :] = photo
    found = find_grid(picture)
    assert (found.row, found.column) == ((2 * len(photo) - 3) % 8, 0)
