import numpy as np
import pytest

from agarnet_jax.restoration.upsampling import Upsampling, block_means, read_padded

FACTORS = [(1, 1), (1, 2), (2, 1), (2, 2), (1, 4), (3, 1)]


@pytest.fixture(scope="module")
def samples():
    """(70, 90) float64, smooth and with steps."""
    rng = np.random.default_rng(0)
    return rng.random((70, 90)) + 3 * (np.arange(90) > 40)


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize("odd", [0, 1])
def test_invert_recovers_the_samples(samples, factors, odd):
    size = tuple(side * f - odd * (f > 1) for side, f in zip(samples.shape, factors))
    upsampling = Upsampling(size, factors)
    assert upsampling.component_size == samples.shape
    image = upsampling.apply(lambda a, b: samples[a:b], slice(0, size[0]))
    assert image.shape == size
    back = upsampling.invert(lambda r, c: image[r, c], slice(0, 70), slice(0, 90))
    # The inverse filter is truncated at 0.17**7 of a step of 4.
    np.testing.assert_allclose(back, samples, atol=1e-4)


def test_invert_recovers_a_ramp_up_to_odd_sides():
    samples = np.arange(30.0)[None] + np.arange(20.0)[:, None]
    upsampling = Upsampling((39, 59), (2, 2))
    image = upsampling.apply(lambda a, b: samples[a:b], slice(0, 39))
    back = upsampling.invert(lambda r, c: image[r, c], slice(0, 20), slice(0, 30))
    np.testing.assert_allclose(back, samples, atol=1e-3)


@pytest.mark.parametrize("factors", FACTORS)
def test_parts_equal_those_of_the_whole_plane(samples, factors):
    size = tuple(side * f - (f > 1) for side, f in zip(samples.shape, factors))
    upsampling = Upsampling(size, factors)
    whole = upsampling.apply(lambda a, b: samples[a:b], slice(0, size[0]))
    for rows in (slice(0, 1), slice(3, 20), slice(size[0] - 5, size[0])):
        part = upsampling.apply(lambda a, b: samples[a:b], rows)
        np.testing.assert_array_equal(part, whole[rows])
    areas = []

    def read(rows, columns):
        areas.append((rows.stop - rows.start) * (columns.stop - columns.start))
        return whole[rows, columns]

    back = upsampling.invert(read, slice(0, 70), slice(0, 90))
    for region in ((slice(0, 8), slice(80, 90)), (slice(31, 40), slice(1, 2))):
        np.testing.assert_allclose(upsampling.invert(read, *region), back[region], atol=1e-12)
    assert max(areas[1:]) < whole.size / 4


def test_several_planes_are_upsampled_like_single_ones(samples):
    upsampling = Upsampling((140, 180), (2, 2))
    both = np.stack([samples, samples[::-1]])
    rows = upsampling.apply(lambda a, b: both[:, a:b], slice(7, 30))
    for one, plane in zip(rows, both):
        expected = upsampling.apply(lambda a, b, plane=plane: plane[a:b], slice(7, 30))
        np.testing.assert_array_equal(one, expected)


def test_invert_hardly_amplifies_noise():
    noise = np.random.default_rng(0).normal(size=(400, 600))
    upsampling = Upsampling(noise.shape, (2, 2))
    back = upsampling.invert(lambda r, c: noise[r, c], slice(0, 200), slice(0, 300))
    assert back.std() == pytest.approx(1.06, abs=0.03)


def test_block_means_of_partial_blocks_use_only_existing_pixels():
    values = np.arange(15.0).reshape(3, 5)
    means = block_means(values, (2, 2))
    assert means.shape == (2, 3)
    assert means[0, 0] == values[:2, :2].mean()
    assert means[1, 2] == values[2, 4]
    assert means[0, 2] == values[:2, 4].mean()


@pytest.mark.parametrize("mode", ["constant", "edge"])
@pytest.mark.parametrize("rows", [slice(0, 9), slice(0, 2), slice(1, 4), slice(4, 5), slice(7, 9)])
def test_reading_padded_rows_equals_padding_the_whole_plane(rows, mode):
    plane, margin = np.random.default_rng(0).random((2, 9, 7)), 3
    read = read_padded(
        lambda first, last: plane[:, first:last], rows, count=9, margin=margin, mode=mode
    )
    whole = np.pad(plane, ((0, 0), (margin, margin), (margin, margin)), mode=mode)
    np.testing.assert_array_equal(read, whole[:, rows.start : rows.stop + 2 * margin])
