import numpy as np
import pytest

from agarnet_jax.restoration.upsampling import Upsampling, block_means

FACTORS = [(1, 1), (1, 2), (2, 1), (2, 2), (1, 4), (3, 1)]


@pytest.fixture(scope="module")
def samples():
    """(70, 90) float64, smooth and with steps."""
    rng = np.random.default_rng(0)
    return rng.random((70, 90)) + 3 * (np.arange(90) > 40)


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize("odd", [0, 1])
def test_up_and_back_again(samples, factors, odd):
    size = tuple(side * f - odd * (f > 1) for side, f in zip(samples.shape, factors))
    upsampling = Upsampling(size, factors)
    assert upsampling.coded_size == samples.shape
    image = upsampling.rows(lambda a, b: samples[a:b], slice(0, size[0]))
    assert image.shape == size
    back = upsampling.coded(lambda r, c: image[r, c], slice(0, 70), slice(0, 90))
    # The inverse is cut off at 0.17**7 of a step of 4; at odd sides the last pixel is guessed.
    inner = np.s_[: -8 * odd or None, : -8 * odd or None]
    np.testing.assert_allclose(back[inner], samples[inner], atol=1e-4)
    if not odd:
        np.testing.assert_allclose(back, samples, atol=1e-4)


def test_slopes_come_back_up_to_an_odd_side():
    samples = np.arange(30.0)[None] + np.arange(20.0)[:, None]
    upsampling = Upsampling((39, 59), (2, 2))
    image = upsampling.rows(lambda a, b: samples[a:b], slice(0, 39))
    back = upsampling.coded(lambda r, c: image[r, c], slice(0, 20), slice(0, 30))
    np.testing.assert_allclose(back, samples, atol=1e-3)


@pytest.mark.parametrize("factors", FACTORS)
def test_pieces_are_those_of_the_whole(samples, factors):
    size = tuple(side * f - (f > 1) for side, f in zip(samples.shape, factors))
    upsampling = Upsampling(size, factors)
    whole = upsampling.rows(lambda a, b: samples[a:b], slice(0, size[0]))
    for rows in (slice(0, 1), slice(3, 20), slice(size[0] - 5, size[0])):
        piece = upsampling.rows(lambda a, b: samples[a:b], rows)
        np.testing.assert_array_equal(piece, whole[rows])
    asked = []

    def read(rows, columns):
        asked.append((rows.stop - rows.start) * (columns.stop - columns.start))
        return whole[rows, columns]

    back = upsampling.coded(read, slice(0, 70), slice(0, 90))
    for place in ((slice(0, 8), slice(80, 90)), (slice(31, 40), slice(1, 2))):
        np.testing.assert_allclose(upsampling.coded(read, *place), back[place], atol=1e-12)
    assert max(asked[1:]) < whole.size / 4


def test_several_planes_at_once(samples):
    upsampling = Upsampling((140, 180), (2, 2))
    both = np.stack([samples, samples[::-1]])
    rows = upsampling.rows(lambda a, b: both[:, a:b], slice(7, 30))
    for one, plane in zip(rows, both):
        expected = upsampling.rows(lambda a, b, plane=plane: plane[a:b], slice(7, 30))
        np.testing.assert_array_equal(one, expected)


def test_noise_comes_back_hardly_greater():
    noise = np.random.default_rng(0).normal(size=(400, 600))
    upsampling = Upsampling(noise.shape, (2, 2))
    back = upsampling.coded(lambda r, c: noise[r, c], slice(0, 200), slice(0, 300))
    assert back.std() == pytest.approx(1.06, abs=0.03)


def test_block_means_of_cut_blocks_are_of_what_is_there():
    values = np.arange(15.0).reshape(3, 5)
    means = block_means(values, (2, 2))
    assert means.shape == (2, 3)
    assert means[0, 0] == values[:2, :2].mean()
    assert means[1, 2] == values[2, 4]
    assert means[0, 2] == values[:2, 4].mean()
