"""Scheduled changes of crop and batch size in the stream that training reads."""

import dataclasses
import itertools

import numpy as np
import pytest
from absl import flags

from data_pipelines import batching
from data_pipelines.config import DataConfig

# Steps 0–2: 4 crops of 16; steps 3 and 4: 6 crops of 32; from step 5 on: 4 crops of 24.
SCHEDULE = ((3, 32, 6), (5, 24))
SIZES = [(4, 16)] * 3 + [(6, 32)] * 2 + [(4, 24)] * 3


@pytest.fixture(scope="module")
def config(picture_folders):
    return DataConfig(train_dir=str(picture_folders / "train"), crop=16, crop_schedule=SCHEDULE)


def take(count, config, **options):
    options = {"batch_size": 4, "seed": 3} | options
    stream = batching.train_batches(batching.train_source(config), config=config, **options)
    return list(itertools.islice(stream, count))


def assert_equal(a, b):
    for left, right in zip(a, b, strict=True):
        for key in left:
            np.testing.assert_array_equal(left[key], right[key])


@pytest.fixture(scope="module")
def whole(config):
    return take(8, config)


def test_sizes_follow_the_schedule(whole):
    assert [batch["clean"].shape[:2] for batch in whole] == SIZES
    assert [len(batch["quality"]) for batch in whole] == [count for count, _ in SIZES]


def test_resuming_anywhere_continues_the_stream(config, whole):
    for start in range(1, 8):
        assert_equal(take(8 - start, config, start=start), whole[start:])


def test_every_sample_index_is_drawn_once(config, monkeypatch):
    monkeypatch.setattr(batching, "train_sample", lambda _, i, **__: {"index": np.array(i)})
    indices = np.concatenate([batch["index"] for batch in take(8, config)])
    assert indices.tolist() == list(range(sum(count for count, _ in SIZES)))


def test_a_schedule_does_not_affect_batches_before_its_first_entry(config, whole):
    unscheduled = dataclasses.replace(config, crop_schedule=())
    assert_equal(take(3, unscheduled), whole[:3])


def test_local_batches_concatenate_to_the_global_batch(config, whole):
    streams = [take(8, config, process_index=i, process_count=2) for i in (0, 1)]
    joined = [
        {key: np.concatenate([local[key] for local in batches]) for key in batches[0]}
        for batches in zip(*streams)
    ]
    assert_equal(joined, whole)


@pytest.mark.slow
def test_batches_do_not_depend_on_worker_processes(config, whole):
    flags.FLAGS.mark_as_parsed()
    assert_equal(take(8, dataclasses.replace(config, workers=2)), whole)


def test_images_must_be_as_large_as_the_largest_crop(config):
    assert config.largest_crop == 32
    with pytest.raises(ValueError, match="at least 200 pixels"):
        batching.train_source(dataclasses.replace(config, crop_schedule=((9, 200),)))


def test_a_batch_size_that_processes_do_not_divide_is_rejected_at_once(config):
    with pytest.raises(ValueError, match=r"batch of 6.*4 processes"):
        take(1, config, process_count=4)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (((3,),), r"has \(3,\); an entry is \(first step, crop\) or"),
        (((3, 16, 4, 1),), r"has \(3, 16, 4, 1\)"),
        (((3, 16, 0),), r"has \(3, 16, 0\)"),
        (((0, 16),), "must increase and start above 0"),
        (((5, 16), (5, 24)), "must increase and start above 0"),
        (((5, 20),), "crop_schedule is 20; it must be a positive multiple of 8"),
    ],
)
def test_invalid_schedules_are_named(schedule, message):
    with pytest.raises(ValueError, match=message):
        DataConfig(crop_schedule=schedule)


def test_schedules_may_be_lists_as_in_json():
    assert DataConfig(crop_schedule=[[5, 24]]).crop_schedule == ((5, 24),)
