import dataclasses
import io
import itertools

import numpy as np
import pytest
from absl import flags
from PIL import Image

from data_pipelines import batching, transforms
from data_pipelines.config import DataConfig


@pytest.fixture(scope="module")
def config(picture_folders):
    return DataConfig(
        train_dir=str(picture_folders / "train"),
        eval_dir=str(picture_folders / "valid"),
        crop=32,
        quality_min=5,
        quality_max=60,
        eval_qualities=(10, 90),
        eval_crop=64,
        eval_batch_size=4,
    )


def take(count, config, **options):
    options = {"batch_size": 4, "seed": 3} | options
    stream = batching.train_batches(batching.train_source(config), config=config, **options)
    return list(itertools.islice(stream, count))


def assert_equal(a, b):
    for left, right in zip(a, b, strict=True):
        assert left.keys() == right.keys()
        for key in left:
            np.testing.assert_array_equal(left[key], right[key])


def test_shapes_ranges_and_qualities(config):
    batches = take(30, config)
    for batch in batches:
        assert batch["degraded"].shape == batch["clean"].shape == (4, 32, 32, 1)
        assert batch["quality"].shape == (4, 1, 1, 1)
        assert batch["degraded"].dtype == batch["clean"].dtype == np.uint8
        assert batch["quality"].dtype == np.float32
    qualities = np.concatenate([b["quality"].ravel() for b in batches])
    assert qualities.min() >= 5
    assert qualities.max() <= 60
    assert len(set(qualities)) > 30


def test_degraded_is_the_jpeg_of_clean_at_the_stated_quality(config, encode):
    (batch,) = take(1, config)
    for clean, degraded, quality in zip(batch["clean"], batch["degraded"], batch["quality"]):
        decoded = Image.open(io.BytesIO(encode(clean[..., 0], int(quality.item()))))
        np.testing.assert_array_equal(degraded[..., 0], np.asarray(decoded))


def test_depends_only_on_seed_and_position(config):
    reference = take(6, config)
    assert_equal(take(6, config), reference)
    assert_equal(take(2, config, start=4), reference[4:])
    different = take(6, config, seed=4)
    assert any((a["clean"] != b["clean"]).any() for a, b in zip(different, reference))


def test_crops_differ_from_epoch_to_epoch(config):
    (batch,) = take(1, config, batch_size=12)  # three images: four epochs
    assert len({crop.tobytes() for crop in batch["clean"]}) == 12


def test_processes_share_each_batch(config):
    reference = take(3, config)
    halves = [take(3, config, process_index=i, process_count=2) for i in (0, 1)]
    for whole, even, odd in zip(reference, *halves):
        for key in whole:
            np.testing.assert_array_equal(whole[key][0::2], even[key])
            np.testing.assert_array_equal(whole[key][1::2], odd[key])
    with pytest.raises(ValueError, match=r"batch of 4.*3 processes"):
        take(1, config, process_count=3)


@pytest.mark.slow
def test_worker_processes_change_nothing(config):
    flags.FLAGS.mark_as_parsed()
    assert_equal(take(4, dataclasses.replace(config, workers=2)), take(4, config))


def test_evaluation_covers_every_image_at_every_quality(config):
    source = batching.eval_source(config)
    batches = list(batching.eval_batches(source, config=config))
    assert [quality for quality, _ in batches] == [10, 90]
    for quality, batch in batches:
        assert batch["clean"].shape == (4, 64, 64, 1)
        assert batch["weight"].tolist() == [1, 0, 0, 0]
        assert (batch["quality"] == quality).all()


def test_evaluation_is_shared_by_processes(config):
    source = batching.eval_source(config)
    shares = [
        next(batching.eval_batches(source, config=config, process_index=i, process_count=2))[1]
        for i in (0, 1)
    ]
    assert [share["weight"].tolist() for share in shares] == [[1, 0], [0, 0]]


def test_centre_crop_and_symmetries():
    image = np.arange(35).reshape(5, 7)
    np.testing.assert_array_equal(transforms.centre_crop(image, 3), image[1:4, 2:5])
    square = np.arange(9).reshape(3, 3)
    rng = np.random.default_rng(0)
    seen = {transforms.RandomFlipTranspose().random_map(square, rng).tobytes() for _ in range(99)}
    assert len(seen) == 8


def test_studio_range_is_applied_by_its_probability():
    image = np.array([[0, 255]], np.uint8)
    rng = np.random.default_rng(0)
    never, always = (transforms.RandomStudioRange(p).random_map(image, rng) for p in (0, 1))
    assert never.tolist() == [[0, 255]]
    assert always.tolist() == [[16, 235]]


def test_impossible_settings_are_named():
    with pytest.raises(ValueError, match="crop is 20"):
        DataConfig(crop=20)
    with pytest.raises(ValueError, match="1–100"):
        DataConfig(quality_min=0)
    with pytest.raises(ValueError, match="studio_fraction is 2"):
        DataConfig(studio_fraction=2)
