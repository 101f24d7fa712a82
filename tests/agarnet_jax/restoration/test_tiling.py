import numpy as np
import pytest

from agarnet_jax.restoration.tiling import Tiling, apply_tiled


def tiling(largest=32, overlap=8, grid=8, scale=1):
    return Tiling(largest, overlap, grid=grid, padding="edge", scale=scale)


@pytest.mark.parametrize("length", [1, 8, 31, 32, 33, 40, 47, 64, 65, 100, 257])
def test_spans_cover_once_with_the_overlap_and_on_the_grid(length):
    cut = tiling()
    spans, side = cut.spans(length), cut.side(length)
    assert side <= 32
    assert [s.first for s in spans] == [0, *(s.last for s in spans[:-1])]
    assert spans[-1].last == length
    for i, span in enumerate(spans):
        assert span.start % 8 == 0
        assert span.start + side <= -(-length // 8) * 8  # never beyond the image's grid
        if i > 0:
            assert span.first - span.start >= 8
        if i < len(spans) - 1:
            assert span.start + side - span.last >= 8


def test_whole_images_are_one_span():
    assert len(tiling(largest=None).spans(1000)) == 1
    assert tiling(largest=None).side(1001) == 1008


@pytest.mark.parametrize("size", [(100, 61), (32, 32), (9, 200), (1, 1)])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_local_function_gives_the_same_in_tiles(size, batch_size):
    """A 5×5 mean looks 2 pixels around itself."""

    def blur(batch, constant):
        assert batch.shape[0] == constant.shape[0] == batch_size
        padded = np.pad(batch[..., 0], ((0, 0), (2, 2), (2, 2)), mode="edge")
        shifts = (
            padded[:, y : y + batch.shape[1], x : x + batch.shape[2]]
            for y in range(5)
            for x in range(5)
        )
        return (sum(shifts) / 25)[..., None] + constant

    image = np.random.default_rng(0).random(size, np.float32)
    one = np.float32(1)
    whole = blur(np.repeat(image[None, ..., None], batch_size, 0), np.ones((batch_size, 1, 1, 1)))
    tiled = apply_tiled(blur, [image, one], tiling=tiling(), batch_size=batch_size)
    np.testing.assert_allclose(tiled, whole[0, ..., 0], atol=1e-6)


def test_results_smaller_than_the_tile():
    """Means of 8×8 cells, with a last cell that hangs over."""

    def means(batch):
        count, height, width, _ = batch.shape
        return batch.reshape(count, height // 8, 8, width // 8, 8, 1).mean(axis=(2, 4))

    image = np.random.default_rng(0).random((77, 130)).astype(np.float32)
    padded = np.pad(image, ((0, 3), (0, 6)), mode="edge")
    expected = means(padded[None, ..., None])[0, ..., 0]
    actual = apply_tiled(means, [image], tiling=tiling(scale=8), batch_size=2)
    np.testing.assert_allclose(actual, expected, atol=1e-6)
