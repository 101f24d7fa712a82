import logging
import pickle

import numpy as np
import pytest

from agarnet_jax.color import LumaRange
from data_pipelines.decoding import UnusableImageError
from data_pipelines.sources.images import ImageSource
from data_pipelines.sources.records import MemoryRecords


class BrokenRecords(MemoryRecords):
    """Arrays in memory, of which some cannot be read."""

    def __init__(self, images, broken):
        super().__init__(images)
        self._broken = broken

    def read(self, index):
        if index in self._broken:
            raise UnusableImageError("broken: by the test")
        return super().read(index)


class CopyingRecords(MemoryRecords):
    """Arrays in memory that are copied at each read, as with files."""

    def read(self, index):
        return super().read(index).copy()


@pytest.fixture
def images(astronaut):
    return [astronaut[:40, i : i + 48] for i in range(5)]


def test_arrays_in_memory_are_a_source(images):
    source = ImageSource(MemoryRecords(images))
    assert len(source) == len(list(source)) == 5
    assert source.skipped == 0
    np.testing.assert_array_equal(source[3], images[3])
    with pytest.raises(IndexError):
        source[5]


@pytest.mark.parametrize("image", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8)])
def test_arrays_that_are_not_images_are_rejected(image):
    with pytest.raises(ValueError, match=r"Image 0 is .*expected uint8"):
        MemoryRecords([image])


def test_images_are_returned_as_stored_or_as_luma(images):
    assert ImageSource(MemoryRecords(images))[0].shape == (40, 48, 3)
    full, studio = (
        ImageSource(MemoryRecords(images), luma_range=luma_range)[0].astype(float)
        for luma_range in LumaRange
    )
    assert np.abs(studio - (16 + full * 219 / 255)).max() <= 1  # one more rounding


def test_a_broken_record_is_named_once_counted_and_replaced(images, caplog):
    source = ImageSource(BrokenRecords(images, {1, 4}))
    with caplog.at_level(logging.WARNING):
        read = [*source, *source]
    np.testing.assert_array_equal(read[1], images[2])
    np.testing.assert_array_equal(read[4], images[0])
    assert source.skipped == 2
    assert sorted(r.getMessage() for r in caplog.records) == [
        "Skipping image 1: broken: by the test",
        "Skipping image 4: broken: by the test",
    ]


def test_records_that_turn_out_too_small_are_skipped(images):
    source = ImageSource(MemoryRecords([images[0][:30], images[1]]), min_side=40)
    np.testing.assert_array_equal(source[0], images[1])
    assert source.skipped == 1


def test_a_source_without_usable_records_is_an_error(images):
    with pytest.raises(ValueError, match=r"None of 5 images can be used.*image 0"):
        ImageSource(BrokenRecords(images, set(range(5))))[2]


def test_the_cache_holds_what_fits_and_does_not_change_images(images):
    def source(cache_gib):
        return ImageSource(CopyingRecords(images), cache_gib=cache_gib)

    cached = source(1)
    first = list(cached)
    assert all(a is b for a, b in zip(first, cached))
    assert all((a == b).all() for a, b in zip(first, source(0)))
    small = source(2.5 * images[0].nbytes / 2**30)
    list(small)
    assert sum(a is b for a, b in zip(list(small), list(small))) == 2


def test_the_cache_is_not_pickled_for_workers(images):
    source = ImageSource(MemoryRecords([images[0]] * 99), cache_gib=1)
    size_with_empty_cache = len(pickle.dumps(source))
    list(source)
    assert len(pickle.dumps(source)) <= size_with_empty_cache + 100


def test_the_cache_of_a_worker_has_its_full_capacity(images):
    source = ImageSource(CopyingRecords(images), cache_gib=2.5 * images[0].nbytes / 2**30)
    list(source)
    copy = pickle.loads(pickle.dumps(source))
    assert sum(a is b for a, b in zip(list(copy), list(copy))) == 2
