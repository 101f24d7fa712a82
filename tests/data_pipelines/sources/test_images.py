import logging
import pickle

import numpy as np
import pytest

from agarnet_jax.color import LumaRange
from data_pipelines.decoding import UnusableImageError
from data_pipelines.sources.images import ImageSource
from data_pipelines.sources.records import MemoryRecords


class Damaged(MemoryRecords):
    """Memory of which some records are broken."""

    def __init__(self, images, broken):
        super().__init__(images)
        self._broken = broken

    def read(self, index):
        if index in self._broken:
            raise UnusableImageError("broken: by the test")
        return super().read(index)


class Copying(MemoryRecords):
    """Memory that gives another array each time, as files do."""

    def read(self, index):
        return super().read(index).copy()


@pytest.fixture
def pictures(astronaut):
    return [astronaut[:40, i : i + 48] for i in range(5)]


def test_memory_is_a_source(pictures):
    source = ImageSource(MemoryRecords(pictures))
    assert len(source) == len(list(source)) == 5
    assert source.skipped == 0
    np.testing.assert_array_equal(source[3], pictures[3])
    with pytest.raises(IndexError):
        source[5]


@pytest.mark.parametrize("image", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8)])
def test_memory_holds_images_only(image):
    with pytest.raises(ValueError, match=r"Image 0 is .*expected uint8"):
        MemoryRecords([image])


def test_luma_or_what_is_stored(pictures):
    assert ImageSource(MemoryRecords(pictures))[0].shape == (40, 48, 3)
    full, studio = (
        ImageSource(MemoryRecords(pictures), luma_range=luma_range)[0].astype(float)
        for luma_range in LumaRange
    )
    assert np.abs(studio - (16 + full * 219 / 255)).max() <= 1  # one rounding more


def test_a_broken_record_is_named_once_counted_and_stood_in_for(pictures, caplog):
    source = ImageSource(Damaged(pictures, {1, 4}))
    with caplog.at_level(logging.WARNING):
        images = [*source, *source]
    np.testing.assert_array_equal(images[1], pictures[2])
    np.testing.assert_array_equal(images[4], pictures[0])
    assert source.skipped == 2
    assert sorted(r.getMessage() for r in caplog.records) == [
        "Skipping image 1: broken: by the test",
        "Skipping image 4: broken: by the test",
    ]


def test_small_records_are_skipped_where_no_header_told(pictures):
    source = ImageSource(MemoryRecords([pictures[0][:30], pictures[1]]), min_side=40)
    np.testing.assert_array_equal(source[0], pictures[1])
    assert source.skipped == 1


def test_nothing_usable_is_an_error(pictures):
    with pytest.raises(ValueError, match=r"None of 5 images can be used.*image 0"):
        ImageSource(Damaged(pictures, set(range(5))))[2]


def test_cache_holds_what_fits_and_changes_nothing(pictures):
    def source(cache_gib):
        return ImageSource(Copying(pictures), cache_gib=cache_gib)

    cached = source(1)
    first = list(cached)
    assert all(a is b for a, b in zip(first, cached))
    assert all((a == b).all() for a, b in zip(first, source(0)))
    small = source(2.5 * pictures[0].nbytes / 2**30)
    list(small)
    assert sum(a is b for a, b in zip(list(small), list(small))) == 2


def test_workers_fill_caches_of_their_own(pictures):
    source = ImageSource(MemoryRecords([pictures[0]] * 99), cache_gib=1)
    bare = len(pickle.dumps(source))
    list(source)
    assert len(pickle.dumps(source)) <= bare + 100


def test_the_cache_of_a_worker_has_all_its_room(pictures):
    source = ImageSource(Copying(pictures), cache_gib=2.5 * pictures[0].nbytes / 2**30)
    list(source)
    copy = pickle.loads(pickle.dumps(source))
    assert sum(a is b for a, b in zip(list(copy), list(copy))) == 2
