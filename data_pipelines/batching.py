"""Batches for training: dicts of arrays, one process's share of each."""

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
from data_pipelines.sources.images import ImageSource
from data_pipelines.sources.opening import open_images
from data_pipelines.transcoding import import_av
from data_pipelines.transforms import Sample

Batch = dict[str, np.ndarray]


def train_source(config: DataConfig) -> ImageSource:
    """Opens the training images, each large enough for a crop: full-range luma, or RGB if needed.

    Raises:
      FileNotFoundError, ValueError, ModuleNotFoundError: what `open_images` raises; no folder is
        named; all images are broken; or videos are drawn and PyAV is not installed.
    """
    if config.degradation.mixture.video:
        import_av()  # fails now, not when the first video is drawn
    return open_setting(
        config,
        "train_dir",
        luma_range=None if config.planes.need_rgb else LumaRange.FULL,
        min_side=config.largest_crop,
    )


def open_setting(config: DataConfig, setting: str, **options: Any) -> ImageSource:
    """Opens the images that a setting names; raises ValueError now if all of them are broken."""
    place = getattr(config, setting)
    if not place:
        raise ValueError(
            f"config.data.{setting} is empty; give --config.data.{setting}=FOLDER of images."
        )
    try:
        source = open_images(place, cache_gib=config.cache_gib, **options)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"config.data.{setting}: {error}") from None
    source[0]  # now, not in training
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
    """Makes batches without end, from batch number `start` on; closing the generator ends workers.

    Batch n holds samples n·batch_size … (n+1)·batch_size − 1 of one stream that depends only on
    the source and `seed`: not on threads, workers or processes, and not on where a run resumed.
    Where `config.crop_schedule` changes the batch size, counting goes on from the last sample.
    Process p of `process_count` receives the p-th run of batch_size / process_count samples.

    Yields:
      Samples as `transforms` describes them, stacked: (b, …), with b = batch_size / process_count.
    """
    make_batch = PhasedBatch(
        tuple(
            TrainBatch(
                source,
                transform=dataclasses.replace(train_transform(config), crop=phase.crop),
                batch_size=phase.batch_size,
                seed=seed,
                share=places_of_process(phase.batch_size, process_index, process_count),
                start=phase.start,
                first_sample=phase.first_sample,
            )
            for phase in config.phases(batch_size)
        )
    )
    stream = (
        grain.MapDataset.range(start, sys.maxsize)
        .map(make_batch)
        .to_iter_dataset(
            grain.ReadOptions(num_threads=config.threads, prefetch_buffer_size=4 * config.threads)
        )
    )
    if config.workers:
        if not flags.FLAGS.is_parsed():  # in a notebook or a script without flags; Grain reads some
            flags.FLAGS.mark_as_parsed()
        stream = stream.mp_prefetch(
            grain.MultiprocessingOptions(num_workers=config.workers),
            worker_init_fn=_live_and_end_with_the_parent,
        )
    return _received(iter(stream), source)


def _received(
    made: grain.DatasetIterator[tuple[Batch, set[int]]], source: ImageSource
) -> Generator[Batch, None, None]:
    """Copies batches out of the memory shared with workers, and notes what they found unusable.

    JAX may hold on to a batch until the program ends; uncopied, shared memory would never be freed.
    """

    def received(one: tuple[Batch, set[int]]) -> Batch:
        batch, unusable = one
        source.unusable |= unusable
        return {name: np.array(array) for name, array in batch.items()}

    with contextlib.closing(made):
        yield from map(received, made)


def _live_and_end_with_the_parent(*_: int) -> None:
    """Makes a worker ignore signals to stop, and end once its parent has ended.

    A terminal, also one that is closed, Slurm and timeout(1) signal all processes of a group. A
    worker that obeyed would take with it the batch that the parent waits for before it can save. A
    parent that is killed tells its workers nothing, and they would wait for it forever.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_after_the_parent, daemon=True).start()


def _end_after_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def train_transform(config: DataConfig) -> transforms.RandomSample:
    """Returns what happens to a training image, a function of it and a random generator."""
    return transforms.RandomSample(config.crop, config.planes, config.degradation)


@dataclasses.dataclass(frozen=True)
class TrainBatch:
    """Maker of the n-th batch, or of the share of it at a run of places.

    Sample i takes the image at place i of an endless sequence of shuffled epochs, and a random
    generator of its own. Both follow from (seed, i) alone. A batch is one element for Grain,
    whose overhead for each element is a third of the time of a small crop.
    """

    source: ImageSource
    _: dataclasses.KW_ONLY
    transform: transforms.RandomSample
    batch_size: int
    seed: int
    share: range
    start: int = 0  # number of the first batch of this size, and of its first sample
    first_sample: int = 0

    def __call__(self, n: int) -> Batch:
        first = self.first_sample + (n - self.start) * self.batch_size
        return stack([self.sample(first + place) for place in self.share])

    def sample(self, index: int) -> Sample:
        """Makes one sample, as `transforms` describes it."""
        epoch, place = divmod(index, len(self.source))
        image = self.source[_epoch_order(self.seed, epoch, len(self.source))[place]]
        rng = np.random.Generator(np.random.Philox(key=(self.seed, index)))
        return self.transform.sample(image, rng)


@dataclasses.dataclass(frozen=True)
class PhasedBatch:
    """Maker of the n-th batch in the phase it belongs to. Phases are in order, the first from 0.

    With it come the numbers of images that the process which makes it has found unusable so far.
    """

    phases: tuple[TrainBatch, ...]

    def __call__(self, n: int) -> tuple[Batch, set[int]]:
        phase = self.phases[bisect.bisect_right(self.phases, n, key=lambda p: p.start) - 1]
        return phase(n), phase.source.unusable.copy()


@functools.lru_cache(maxsize=4)
def _epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    # The counter keeps these numbers apart from those of samples with the same key.
    bits = np.random.Philox(key=(seed, epoch), counter=(0, 0, 0, 1))
    return np.random.Generator(bits).permutation(count)


def stack(samples: list[Sample]) -> Batch:
    """Makes a batch of samples, (b, …) of each."""
    # Only contiguous arrays pass from a worker through shared memory. Others would fill a pipe, and
    # a worker that should end would wait there for a reader.
    return {
        key: np.ascontiguousarray(np.stack([sample[key] for sample in samples]))
        for key in samples[0]
    }


def places_of_process(batch_size: int, process_index: int, process_count: int) -> range:
    """Returns the places in a batch that belong to a process.

    Raises:
      ValueError: no such batch or process, or they cannot have the same number each.
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
            f"A batch of {batch_size} cannot be shared equally by {process_count} processes; "
            f"use a multiple of {process_count}."
        )
    size = batch_size // process_count
    return range(process_index * size, (process_index + 1) * size)
