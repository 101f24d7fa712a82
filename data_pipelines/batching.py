"""Batches for training and evaluation: dicts of arrays, one process's share of each."""

import dataclasses
import functools
import sys
from collections.abc import Iterator

import grain
import numpy as np

from agarnet_jax.color import LumaRange
from data_pipelines import transforms
from data_pipelines.config import DataConfig
from data_pipelines.sources import FolderSource

Batch = dict[str, np.ndarray]


def train_source(config: DataConfig) -> FolderSource:
    """The training images, full-range luma, each large enough for a crop."""
    return FolderSource(config.train_dir, min_side=config.crop, cache_gib=config.cache_gib)


def eval_source(config: DataConfig) -> FolderSource:
    """The held-out images in studio range, the luma of the papers' protocol."""
    return FolderSource(
        config.eval_dir,
        luma_range=LumaRange.STUDIO,
        min_side=config.eval_crop,
        cache_gib=config.cache_gib,
    )


def train_batches(
    source: FolderSource,
    *,
    config: DataConfig,
    batch_size: int,
    seed: int,
    start: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[Batch]:
    """An endless stream of batches, from batch number `start` on.

    Batch n holds samples n·batch_size … (n+1)·batch_size − 1 of one stream that depends only on
    the source and `seed`: not on threads, workers or processes, and not on where a run resumed.
    Each of `process_count` processes receives every process_count-th sample of a batch.

    Yields:
      `degraded`, `clean` (b, crop, crop, 1) uint8 and `quality` (b, 1, 1, 1) float32 in 1–100,
      with b = batch_size / process_count.
    """
    _check_share(batch_size, process_count)
    make_batch = TrainBatch(
        source,
        transform=train_transform(config),
        batch_size=batch_size,
        seed=seed,
        share=slice(process_index, None, process_count),
    )
    stream = (
        grain.MapDataset.range(start, sys.maxsize)
        .map(make_batch)
        .to_iter_dataset(
            grain.ReadOptions(num_threads=config.threads, prefetch_buffer_size=4 * config.threads)
        )
    )
    if config.workers:
        stream = stream.mp_prefetch(grain.MultiprocessingOptions(num_workers=config.workers))
    return iter(stream)


def train_transform(config: DataConfig) -> transforms.RandomChain:
    """What happens to a training image; a function of the image and a random generator."""
    return transforms.RandomChain(
        (
            transforms.RandomCrop(config.crop),
            transforms.RandomFlipTranspose(),
            transforms.RandomStudioRange(config.studio_fraction),
            transforms.RandomJpeg(config.quality_min, config.quality_max),
        )
    )


@dataclasses.dataclass(frozen=True)
class TrainBatch:
    """Makes the n-th batch, or a share of it: `slice` of the positions in a batch.

    Sample i takes the image at place i of an endless sequence of shuffled epochs, and a random
    generator of its own. Both follow from (seed, i) alone. A batch is one element for Grain,
    whose overhead for each element is a third of the time of a small crop.
    """

    source: FolderSource
    _: dataclasses.KW_ONLY
    transform: transforms.RandomChain
    batch_size: int
    seed: int
    share: slice

    def __call__(self, n: int) -> Batch:
        samples = [
            self.sample(n * self.batch_size + place) for place in range(self.batch_size)[self.share]
        ]
        return {key: np.stack([sample[key] for sample in samples]) for key in samples[0]}

    def sample(self, index: int) -> Batch:
        """One sample, as `transforms` describes it."""
        epoch, place = divmod(index, len(self.source))
        image = self.source[_epoch_order(self.seed, epoch, len(self.source))[place]]
        rng = np.random.Generator(np.random.Philox(key=(self.seed, index)))
        return self.transform.random_map(image, rng)


@functools.lru_cache(maxsize=4)
def _epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    # The counter keeps these numbers apart from those of samples with the same key.
    bits = np.random.Philox(key=(seed, epoch), counter=(0, 0, 0, 1))
    return np.random.Generator(bits).permutation(count)


def eval_batches(
    source: FolderSource,
    *,
    config: DataConfig,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[tuple[int, Batch]]:
    """Every held-out image at every quality of `config.eval_qualities`, once.

    Yields:
      (quality, batch), all batches of one shape: the last of a quality is filled up with copies
      whose `weight` (b,) is 0; it is 1 elsewhere.
    """
    _check_share(config.eval_batch_size, process_count)
    for quality in config.eval_qualities:
        for first in range(0, len(source), config.eval_batch_size):
            mine = range(first + process_index, first + config.eval_batch_size, process_count)
            samples = [_eval_sample(source, i, quality, config.eval_crop) for i in mine]
            yield quality, {key: np.stack([s[key] for s in samples]) for key in samples[0]}


def _eval_sample(source: FolderSource, index: int, quality: int, crop: int) -> Batch:
    image = transforms.centre_crop(source[min(index, len(source) - 1)], crop)
    sample = transforms.degraded_sample(image, quality=quality)
    return sample | {"weight": np.array(index < len(source), np.float32)}


def _check_share(batch_size: int, process_count: int) -> None:
    """Raises ValueError unless all processes can have the same share of a batch."""
    if batch_size % process_count:
        raise ValueError(
            f"A batch of {batch_size} cannot be shared equally by {process_count} processes; "
            f"use a multiple of {process_count}."
        )
