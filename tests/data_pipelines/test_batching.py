import dataclasses
import io
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from data_pipelines import batching, held_out
from data_pipelines.config import DataConfig
from data_pipelines.degradations.jpeg import EncoderOptions, QualityDensity
from data_pipelines.degradations.mixture import DegradationConfig, MixtureWeights
from data_pipelines.planes import PlaneWeights


@pytest.fixture(scope="module")
def config(picture_folders):
    return DataConfig(
        train_dir=str(picture_folders / "train"),
        eval_dir=str(picture_folders / "valid"),
        crop=32,
        degradation=DegradationConfig(encoder=EncoderOptions(quality=QualityDensity(5, 60))),
        eval_qualities=(10, 90),
        eval_crop=64,
        eval_batch_size=4,
    )


@pytest.fixture(scope="module")
def mixture(config):
    """All planes, and all degradations that need no extra."""
    degradation = DegradationConfig(mixture=MixtureWeights(jpeg=1, recompression=1, mosaic=1))
    planes = PlaneWeights(full=1, studio=1, color=1, cb=1, cr=1)
    return dataclasses.replace(config, degradation=degradation, planes=planes)


def take(count, config, **options):
    options = {"batch_size": 4, "seed": 3} | options
    stream = batching.train_batches(batching.train_source(config), config=config, **options)
    return list(itertools.islice(stream, count))


def assert_equal(a, b):
    for left, right in zip(a, b, strict=True):
        assert left.keys() == right.keys()
        for key in left:
            np.testing.assert_array_equal(left[key], right[key])


def test_batches_have_the_documented_shapes_dtypes_and_qualities(config):
    batches = take(30, config)
    for batch in batches:
        assert batch["degraded"].shape == batch["clean"].shape == (4, 32, 32, 1)
        assert batch["quality"].shape == (4, 1, 1, 1)
        assert batch["tables"].shape == (4, 1, 1, 64)
        assert batch["tables"].dtype == np.uint8
        assert len(batch["metadata"]) == 4
        assert batch["degraded"].dtype == batch["clean"].dtype == np.uint8
        assert batch["quality"].dtype == np.float32
    qualities = np.concatenate([b["quality"].ravel() for b in batches])
    assert qualities.min() >= 5
    assert qualities.max() <= 60
    assert len(set(qualities)) > 30


def test_degraded_is_the_jpeg_of_clean_at_the_labelled_quality(config, encode):
    (batch,) = take(1, config)
    for clean, degraded, quality in zip(batch["clean"], batch["degraded"], batch["quality"]):
        decoded = Image.open(io.BytesIO(encode(clean[..., 0], int(quality.item()))))
        np.testing.assert_array_equal(degraded[..., 0], np.asarray(decoded))


def test_batches_depend_only_on_seed_and_index(config):
    reference = take(6, config)
    assert_equal(take(6, config), reference)
    assert_equal(take(2, config, start=4), reference[4:])
    different = take(6, config, seed=4)
    assert any((a["clean"] != b["clean"]).any() for a, b in zip(different, reference))


def test_image_order_and_samples_use_independent_random_numbers():
    """An epoch and a sample of the same index have the same key."""
    for index in range(4):
        order = batching._epoch_order(3, index, 99)
        from_sample = np.random.Generator(np.random.Philox(key=(3, index))).permutation(99)
        assert (order != from_sample).any()


def test_crops_differ_from_epoch_to_epoch(config):
    (batch,) = take(1, config, batch_size=12)  # three images: four epochs
    assert len({crop.tobytes() for crop in batch["clean"]}) == 12


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("mixed", [False, True])
def test_local_batches_concatenate_to_the_global_batch(config, mixture, processes, mixed):
    config = mixture if mixed else config
    streams = [take(3, config, process_index=i, process_count=processes) for i in range(processes)]
    joined = [
        {key: np.concatenate([local[key] for local in batches]) for key in batches[0]}
        for batches in zip(*streams)
    ]
    assert_equal(joined, take(3, config))


def test_batches_are_contiguous(mixture):
    """Workers would send other arrays through a pipe rather than through shared memory."""
    assert all(value.flags.c_contiguous for batch in take(4, mixture) for value in batch.values())


def test_a_folder_of_broken_images_is_rejected_before_training(config, tmp_path):
    for name in "ab":
        path = tmp_path / f"{name}.png"
        Image.effect_noise((200, 200), 64).save(path)
        path.write_bytes(path.read_bytes()[:10_000])  # the header stays intact
    broken = dataclasses.replace(config, train_dir=f"{tmp_path}", eval_dir=f"{tmp_path}")
    for open_source in (batching.train_source, held_out.eval_source):
        with pytest.raises(ValueError, match="None of 2 images can be used, the first being"):
            open_source(broken)


def test_videos_without_pyav_are_rejected_before_training(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    mixture = DegradationConfig(mixture=MixtureWeights(video=0.01))
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'agarnet-jax\[video\]'"):
        batching.train_source(dataclasses.replace(config, degradation=mixture))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"process_count": 3}, "batch of 4.*3 processes"),
        ({"process_count": 2, "process_index": 5}, "process_index is 5 of 2 processes; use 0 to"),
        ({"process_index": -1}, "process_index is -1 of 1"),
        ({"process_count": 0}, "process_index is 0 of 0"),
        ({"batch_size": 0}, "batch_size is 0; use at least 1"),
    ],
)
def test_invalid_process_splits_are_rejected(config, options, message):
    with pytest.raises(ValueError, match=message):
        take(1, config, **options)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_batches_do_not_depend_on_worker_processes(mixture, workers):
    assert_equal(take(5, dataclasses.replace(mixture, workers=workers)), take(5, mixture))


@pytest.mark.slow
def test_images_skipped_by_workers_are_counted(config, astronaut, tmp_path):
    for name in "abc":
        Image.fromarray(astronaut[:160, :160]).save(tmp_path / f"{name}.png")
    broken = tmp_path / "b.png"
    broken.write_bytes(broken.read_bytes()[:10_000])  # the header stays intact
    config = dataclasses.replace(config, train_dir=f"{tmp_path}", workers=2)
    source = batching.train_source(config)
    batches = batching.train_batches(source, config=config, batch_size=4, seed=3)
    list(itertools.islice(batches, 4))  # two from each worker
    assert source.skipped == 1


@pytest.mark.slow
def test_workers_ignore_termination_signals(mixture):
    """The parent process still needs their batches before it can save."""
    config = dataclasses.replace(mixture, workers=2)
    source = batching.train_source(config)
    batches = batching.train_batches(source, config=config, batch_size=4, seed=3)
    read = list(itertools.islice(batches, 2))  # one from each worker: both have started
    for worker in multiprocessing.active_children():
        os.kill(worker.pid, signal.SIGTERM)
        os.kill(worker.pid, signal.SIGINT)
        os.kill(worker.pid, signal.SIGHUP)
    read += itertools.islice(batches, 30)  # more than were prefetched before the signals
    assert_equal(read, take(32, mixture))


@pytest.mark.slow
def test_workers_exit_when_their_parent_is_killed(mixture):
    program = subprocess.Popen(
        [sys.executable, "-c", READ_AND_WAIT, repr(mixture)], stdout=subprocess.PIPE, text=True
    )
    assert program.stdout.readline() == "read\n"
    program.kill()
    program.communicate(timeout=60)  # returns once no process holds the pipe, workers included


@pytest.mark.slow
def test_closing_batches_frees_all_shared_memory_of_workers(mixture):
    program = [sys.executable, "-c", READ_AND_CLOSE, repr(mixture)]
    result = subprocess.run(program, capture_output=True, text=True, check=True)
    assert result.stderr == ""  # Python would report leaked shared memory


@pytest.mark.slow
def test_one_process_can_resume_the_stream_of_two(mixture, tmp_path):
    """Two processes with two workers each stop in mid-epoch; one process resumes."""
    paths = [tmp_path / f"half{i}.npz" for i in (0, 1)]
    programs = [
        subprocess.Popen([sys.executable, "-c", READ_HALF, str(path), str(i), repr(mixture)])
        for i, path in enumerate(paths)
    ]
    assert [program.wait() for program in programs] == [0, 0]
    whole = take(5, mixture)
    halves = [np.load(path) for path in paths]
    for step in (0, 1):
        for key in whole[step]:
            joined = np.concatenate([half[f"{key}{step}"] for half in halves])
            np.testing.assert_array_equal(joined, whole[step][key])
    assert_equal(take(3, mixture, start=2), whole[2:])


IMPORTS = """
import dataclasses, itertools, sys, time
import numpy as np
from data_pipelines import batching
from data_pipelines.config import DataConfig
from data_pipelines.degradations.jpeg import *
from data_pipelines.degradations.mixture import *
from data_pipelines.degradations.mosaic import MosaicOptions
from data_pipelines.degradations.recompression import RecompressionOptions
from data_pipelines.degradations.video import CodecWeights, VideoOptions
from data_pipelines.planes import PlaneWeights
"""
READ_HALF = f"""{IMPORTS}
if __name__ == "__main__":
    config = dataclasses.replace(eval(sys.argv[3]), workers=2)
    batches = batching.train_batches(
        batching.train_source(config), config=config, batch_size=4, seed=3,
        process_index=int(sys.argv[2]), process_count=2,
    )
    taken = itertools.islice(batches, 2)
    np.savez(sys.argv[1], **{{f"{{k}}{{i}}": v for i, b in enumerate(taken) for k, v in b.items()}})
"""
READ = f"""{IMPORTS}
if __name__ == "__main__":
    config = dataclasses.replace(eval(sys.argv[1]), workers=2)
    source = batching.train_source(config)
    batches = batching.train_batches(source, config=config, batch_size=4, seed=3)
    read = list(itertools.islice(batches, 2))  # one from each worker: both have started
"""
READ_AND_WAIT = f"""{READ}
    print("read", flush=True)
    time.sleep(600)
"""
READ_AND_CLOSE = f"""{READ}
    batches.close()
"""


def test_invalid_crops_and_qualities_are_rejected():
    with pytest.raises(ValueError, match="crop is 20"):
        DataConfig(crop=20)
    with pytest.raises(ValueError, match="quality 101"):
        DataConfig(eval_doubles=((10, 101),))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eval_batch_size": 0}, r"DataConfig.eval_batch_size is 0; it must be >= 1"),
        ({"threads": 0}, r"DataConfig.threads is 0; it must be >= 1"),
        ({"workers": -1}, r"DataConfig.workers is -1; it must be >= 0"),
        ({"graphics": 1.5}, r"DataConfig.graphics is 1.5; it must be in 0–1"),
        ({"cache_gib": -1.0}, r"DataConfig.cache_gib is -1.0; it must be >= 0"),
        ({"eval_qualities": ()}, r"there is no case to evaluate; set eval_qualities"),
        ({"workers": 1.5}, r"DataConfig.workers is 1.5; it must be an integer"),
        ({"crop": "64"}, r"DataConfig.crop is '64'; it must be an integer"),
        ({"eval_doubles": (30, 10)}, r"DataConfig.eval_doubles\[0\] is 30; .* sequence"),
        ({"planes": {"full": "1"}}, r"DataConfig.planes.full is '1'; it must be a number"),
    ],
)
def test_invalid_settings_are_named(config, changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(config, **changes)
