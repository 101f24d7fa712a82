import itertools

import numpy as np
import pytest

from agarnet_jax.restoration.tiling import (
    BandReader,
    Constant,
    Tiling,
    apply_grouped,
    apply_tiled,
    iter_bands,
)


def tiling(largest=32, overlap=8, grid=8, scale=1):
    return Tiling(largest, overlap, grid=grid, padding="edge", scale=scale)


def blur(batch, constant):
    """A 5×5 mean, which depends on the 2 pixels around each."""
    padded = np.pad(batch[..., 0], ((0, 0), (2, 2), (2, 2)), mode="edge")
    shifts = (
        padded[:, y : y + batch.shape[1], x : x + batch.shape[2]]
        for y in range(5)
        for x in range(5)
    )
    return (sum(shifts) / 25)[..., None] + constant


def constant(value):
    return Constant(np.full((1, 1, 1), value, np.float32))


@pytest.mark.parametrize("length", [1, 8, 31, 32, 33, 40, 47, 64, 65, 100, 257])
def test_spans_cover_a_length_once_with_the_overlap_and_on_the_grid(length):
    cut = tiling()
    spans, side = cut.spans(length), cut.side(length)
    assert side <= 32
    assert [s.first for s in spans] == [0, *(s.last for s in spans[:-1])]
    assert spans[-1].last == length
    for i, span in enumerate(spans):
        assert span.start % 8 == 0
        assert span.start + side <= -(-length // 8) * 8  # never beyond the padded image
        if i > 0:
            assert span.first - span.start >= 8
        if i < len(spans) - 1:
            assert span.start + side - span.last >= 8


@pytest.mark.parametrize(
    ("length", "side", "count"),
    [(512, 512, 1), (520, 320, 2), (768, 448, 2), (960, 512, 2), (968, 384, 3), (4000, 512, 9)],
)
def test_tiles_have_even_shares_of_a_length(length, side, count):
    cut = tiling(largest=512, overlap=32)
    assert (cut.side(length), len(cut.spans(length))) == (side, count)


@pytest.mark.parametrize("length", range(513, 1600, 7))
def test_even_tiles_are_as_few_as_tiles_of_the_largest_side(length):
    cut = tiling(largest=512, overlap=32)
    spans = cut.spans(length)
    assert len(spans) == -(-(-(-length // 8) * 8 - 64) // (512 - 64))
    assert all(
        b.first - b.start >= 32 <= a.start + cut.side(length) - a.last
        for a, b in itertools.pairwise(spans)
    )


def test_without_a_largest_side_an_image_is_one_span():
    assert len(tiling(largest=None).spans(1000)) == 1
    assert tiling(largest=None).side(1001) == 1008


@pytest.mark.parametrize(
    ("largest", "overlap", "length", "expected"),
    [
        (512, 32, 4000, 256),
        (512, 32, 300, 128),
        (192, 16, 1000, 64),
        (None, 32, 700, 320),
        (64, 16, 1000, None),
        (128, 32, 1000, None),
    ],
)
def test_halved_tiles_have_half_the_side_or_there_are_none(largest, overlap, length, expected):
    smaller = tiling(largest=largest, overlap=overlap).halved(length)
    assert (smaller and smaller.largest) == expected


@pytest.mark.parametrize("size", [(100, 61), (32, 32), (9, 200), (1, 1)])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_local_function_has_equal_results_in_tiles(size, batch_size):
    tiles = len(tiling().spans(size[0])) * len(tiling().spans(size[1]))

    def function(batch, added):
        assert batch.shape[0] == added.shape[0] == min(batch_size, tiles)
        return blur(batch, added)

    image = np.random.default_rng(0).random(size, np.float32)
    whole = blur(image[None, ..., None], np.float32(1))[0, ..., 0]
    inputs = [image, constant(1)]
    tiled = apply_tiled(function, inputs, tiling=tiling(), batch_size=batch_size)
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_bands_cover_several_planes(batch_size):
    planes = np.random.default_rng(0).random((3, 100, 61), np.float32)
    inputs = [[plane, constant(i)] for i, plane in enumerate(planes)]
    found = list(iter_bands(blur, inputs, tiling=tiling(), batch_size=batch_size))
    assert len(found) > 3
    assert all(band.shape[0] == 3 and band.shape[1] <= 32 for band in found)
    for i, plane in enumerate(planes):
        expected = blur(plane[None, ..., None], np.float32(i))[0, ..., 0]
        np.testing.assert_allclose(np.concatenate(found, axis=1)[i], expected, atol=1e-6)


def test_bands_are_computed_only_when_requested():
    calls = []

    def function(batch):
        calls.append(len(batch))
        return batch

    bands = iter_bands(function, [[np.zeros((320, 32), np.float32)]], tiling=tiling(), batch_size=2)
    assert not calls
    next(bands)
    assert len(calls) == 1


def test_results_may_be_smaller_than_the_tile():
    """Means of 8×8 cells, the last of which exceed the image."""

    def means(batch):
        count, height, width, _ = batch.shape
        return batch.reshape(count, height // 8, 8, width // 8, 8, 1).mean(axis=(2, 4))

    image = np.random.default_rng(0).random((77, 130)).astype(np.float32)
    padded = np.pad(image, ((0, 3), (0, 6)), mode="edge")
    expected = means(padded[None, ..., None])[0, ..., 0]
    actual = apply_tiled(means, [image], tiling=tiling(scale=8), batch_size=2)
    np.testing.assert_allclose(actual, expected, atol=1e-6)
    (grouped,) = apply_grouped(
        means, [[image]], tiling=tiling(largest=None, scale=8), batch_size=lambda *_: 3
    )
    np.testing.assert_allclose(grouped, expected, atol=1e-6)


def test_planes_of_equal_padded_shape_share_calls():
    calls = []

    def function(batch, added):
        calls.append(batch.shape)
        return blur(batch, added)

    rng = np.random.default_rng(0)
    sizes = [(10, 16), (24, 8), (16, 9), (16, 16), (9, 15)]
    planes = [rng.random(size, np.float32) for size in sizes]
    inputs = [[plane, constant(i)] for i, plane in enumerate(planes)]
    requests = []

    def batch_size(pixels, remaining):
        requests.append((pixels, remaining))
        return 3

    results = apply_grouped(function, inputs, tiling=tiling(), batch_size=batch_size)
    assert calls == [(3, 16, 16, 1), (3, 16, 16, 1), (3, 24, 8, 1)]
    assert requests == [(256, 4), (256, 1), (192, 1)]
    for i, (plane, result) in enumerate(zip(planes, results, strict=True)):
        alone = apply_tiled(blur, [plane, constant(i)], tiling=tiling(), batch_size=1)
        np.testing.assert_allclose(result, alone, atol=1e-6)


def test_the_band_reader_drops_bands_above_the_rows_it_read():
    whole = np.arange(2 * 50 * 3, dtype=np.float32).reshape(2, 50, 3)
    yielded = []

    def source():
        for start in range(0, 50, 10):
            yielded.append(start)
            yield whole[:, start : start + 10]

    read = BandReader(source())
    for first, last in ((0, 1), (0, 12), (11, 13), (20, 21), (25, 50), (49, 50)):
        np.testing.assert_array_equal(read(first, last), whole[:, first:last])
        assert len(yielded) == -(-last // 10)
        assert sum(band.nbytes for _, band in read._kept) <= whole.nbytes * 3 / 5
