"""Training batches: dicts of arrays, of which each process loads its own part."""

import bisect
import contextlib
import dataclasses
import functools
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Generator
from typing import Any

import grain
import numpy as np
from absl import flags

from agarnet_jax.color import LumaRange
from data_pipelines import transforms
from data_pipelines.config import DataConfig
from data_pipelines.phases import Phase
from data_pipelines.sources.images import ImageSource
from data_pipelines.sources.opening import open_images
from data_pipelines.transcoding import import_av
from data_pipelines.transforms import Sample

Batch = dict[str, np.ndarray]


def train_source(config: DataConfig) -> ImageSource:
    """Opens the training images: RGB if a plane needs it, otherwise full-range luma.

    Every image is large enough for the largest crop.

    Raises:
      FileNotFoundError, ValueError, ModuleNotFoundError: as `open_configured`, or because the
        mixture has videos and PyAV is not installed.
    """
    if config.degradation.mixture.video:
        import_av()  # fails now rather than when the first video is drawn
    return open_configured(
        config,
        "train_dir",
        luma_range=None if config.planes.need_rgb else LumaRange.FULL,
        min_side=config.largest_crop,
    )


def open_configured(config: DataConfig, setting: str, **options: Any) -> ImageSource:
    """Opens the images that a field of `config` names.

    Raises:
      FileNotFoundError, ValueError, ModuleNotFoundError: from `open_images`, or because the setting
        is empty or every image is broken.
    """
    location = getattr(config, setting)
    if not location:
        raise ValueError(
            f"config.data.{setting} is empty; give --config.data.{setting}=FOLDER of images."
        )
    try:
        source = open_images(location, cache_gib=config.cache_gib, **options)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"config.data.{setting}: {error}") from None
    source[0]  # fails now rather than during training
    return source


def train_batches(
    source: ImageSource,
    *,
    config: DataConfig,
    batch_size: int,
    seed: int,
    start: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> Generator[Batch, None, None]:
    """Yields an endless stream of batches from index `start` on; closing it ends the workers.

    Batch n holds samples n·batch_size … (n+1)·batch_size − 1 of one stream that depends only on
    the source and `seed`: not on threads, workers or processes, nor on where a run resumed.
    Where `config.crop_schedule` changes the batch size, the numbering of samples continues.
    Process p of `process_count` gets the p-th contiguous batch_size / process_count samples.

    Yields:
      Samples as described in `transforms`, stacked: (b, …), with b = batch_size / process_count.
    """
    make_batch = BatchMaker(
        source,
        train_transform(config),
        seed,
        [
            (phase, local_positions(phase.batch_size, process_index, process_count))
            for phase in config.phases(batch_size)
        ],
    )
    dataset = (
        grain.MapDataset.range(start, sys.maxsize)
        .map(make_batch)
        .to_iter_dataset(
            grain.ReadOptions(num_threads=config.threads, prefetch_buffer_size=4 * config.threads)
        )
    )
    if config.workers:
        if not flags.FLAGS.is_parsed():  # Grain reads flags; notebooks and scripts parse none
            flags.FLAGS.mark_as_parsed()
        dataset = dataset.mp_prefetch(
            grain.MultiprocessingOptions(num_workers=config.workers),
            worker_init_fn=_init_worker,
        )
    return _copy_batches(iter(dataset), source)


def _copy_batches(
    iterator: grain.DatasetIterator[tuple[Batch, set[int]]], source: ImageSource
) -> Generator[Batch, None, None]:
    """Copies batches out of shared memory and records the images that workers found unusable.

    JAX may keep a reference to a batch until the program ends. Without the copy, that would keep
    the workers' shared memory allocated.
    """

    def copy(element: tuple[Batch, set[int]]) -> Batch:
        batch, unusable = element
        source.unusable |= unusable
        return {name: np.array(array) for name, array in batch.items()}

    with contextlib.closing(iterator):
        yield from map(copy, iterator)


def _init_worker(*_: int) -> None:
    """Makes a worker ignore termination signals and exit once its parent has exited.

    A terminal (also when it is closed), Slurm and timeout(1) signal the whole process group. A
    worker that exited would take with it the batch that the parent needs before it can save. A
    killed parent cannot notify its workers, which would otherwise wait for it forever.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def train_transform(config: DataConfig) -> transforms.RandomSample:
    """Returns the random transform from a training image to a sample."""
    return transforms.RandomSample(
        config.crop, config.planes, config.degradation, graphics=config.graphics
    )


@dataclasses.dataclass(frozen=True)
class BatchMaker:
    """Makes batch n, or rather the part of it at this process's positions within the batch.

    Also returns the indices of all images that the calling process has found unusable so far.
    Grain gets whole batches as elements: its overhead per element is a third of the time of a small
    crop.
    """

    source: ImageSource
    transform: transforms.RandomSample
    seed: int
    phases: list[tuple[Phase, range]]  # with the positions; in order, the first starts at 0

    def __call__(self, n: int) -> tuple[Batch, set[int]]:
        following = bisect.bisect_right(self.phases, n, key=lambda entry: entry[0].start)
        phase, positions = self.phases[following - 1]
        first = phase.first_sample_of(n)
        transform = dataclasses.replace(self.transform, crop=phase.crop)
        samples = [
            train_sample(self.source, first + position, transform=transform, seed=self.seed)
            for position in positions
        ]
        return stack(samples), self.source.unusable.copy()


def train_sample(
    source: ImageSource, index: int, *, transform: transforms.RandomSample, seed: int
) -> Sample:
    """Makes one sample of the endless stream, as described in `transforms`.

    It takes an image of an endless sequence of shuffled epochs, and has a random generator of its
    own. Both follow from (seed, index) alone.
    """
    epoch, position = divmod(index, len(source))
    image = source[_epoch_order(seed, epoch, len(source))[position]]
    rng = np.random.Generator(np.random.Philox(key=(seed, index)))
    return transform.sample(image, rng)


@functools.lru_cache(maxsize=4)
def _epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    # The counter separates these random numbers from those of the sample with the same key.
    bits = np.random.Philox(key=(seed, epoch), counter=(0, 0, 0, 1))
    return np.random.Generator(bits).permutation(count)


def stack(samples: list[Sample]) -> Batch:
    """Stacks samples into a batch of (b, …) arrays."""
    # Workers pass only contiguous arrays through shared memory. Others would fill a pipe, where an
    # exiting worker would wait for a reader.
    return {
        key: np.ascontiguousarray(np.stack([sample[key] for sample in samples]))
        for key in samples[0]
    }


def local_positions(batch_size: int, process_index: int, process_count: int) -> range:
    """Returns the positions in a global batch that a process loads.

    Raises:
      ValueError: `batch_size` or `process_index` is out of range, or `process_count` does not
        divide `batch_size`.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; use at least 1.")
    if not 0 <= process_index < process_count:
        raise ValueError(
            f"process_index is {process_index} of {process_count} processes; use 0 to "
            "process_count − 1."
        )
    if batch_size % process_count:
        raise ValueError(
            f"A batch of {batch_size} cannot be split equally among {process_count} processes; "
            f"use a multiple of {process_count}."
        )
    size = batch_size // process_count
    return range(process_index * size, (process_index + 1) * size)
