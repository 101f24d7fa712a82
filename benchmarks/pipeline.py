"""Crops per second of the input pipeline: each stage, all together, and bare Pillow beside them.

    python -m benchmarks.pipeline --images=FOLDER [--crop=64 --batch_size=8 --workers=0,1,2]

Bare Pillow is the encoding and decoding of the very crops, at the very qualities, that the
pipeline produced. Stages run in one thread, without prefetching; images are decoded beforehand.
The last rows are the stream as training reads it, with a consumer that does nothing else.
"""

import dataclasses
import functools
import itertools
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
from absl import flags

from agarnet_jax.color import LumaRange
from benchmarks.timing import print_table, spread
from data_pipelines import batching, transforms
from data_pipelines.config import DataConfig
from data_pipelines.degradations import jpeg
from data_pipelines.sources import FolderSource, read_luma
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_CROP = flags.DEFINE_integer("crop", 64, "Side of a crop.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 8, "Crops of a batch.")
_WORKERS = flags.DEFINE_list("workers", ["0", "1", "2"], "Worker processes to try.")
_COUNT = flags.DEFINE_integer("count", 4000, "Crops of each measurement.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds of each measurement.")


def rate(run: Callable[[int], object], count: int) -> float:
    start = time.perf_counter()
    for i in range(count):
        run(i)
    return count / (time.perf_counter() - start)


def consume(batches: Iterator[batching.Batch], _: int) -> None:
    next(batches)


def stages(source: FolderSource, config: DataConfig) -> dict[str, Callable[[int], object]]:
    """Functions that produce the n-th crop up to a stage."""
    rng = np.random.default_rng(0)
    crop = transforms.RandomCrop(config.crop)
    symmetry = transforms.RandomFlipTranspose()
    studio = transforms.RandomStudioRange(config.studio_fraction)
    compress = transforms.RandomJpeg(config.quality_min, config.quality_max)
    clean = transforms.RandomChain((crop, symmetry, studio))
    crops = [clean.random_map(source[i % len(source)], rng) for i in range(_COUNT.value)]
    qualities = rng.integers(config.quality_min, config.quality_max + 1, _COUNT.value).tolist()
    batch = batching.TrainBatch(
        source,
        transform=batching.train_transform(config),
        batch_size=_BATCH_SIZE.value,
        seed=0,
        share=slice(None),
    )
    return {
        "bare Pillow: encode, decode": lambda i: jpeg.compress(crops[i], quality=qualities[i]),
        "crop, symmetry, luma range": lambda i: clean.random_map(source[i % len(source)], rng),
        "the same, compressed": lambda i: compress.random_map(
            clean.random_map(source[i % len(source)], rng), rng
        ),
        "samples of the training stream": batch.sample,
    }


def stream(source: FolderSource, config: DataConfig) -> Iterator[batching.Batch]:
    batches = batching.train_batches(source, config=config, batch_size=_BATCH_SIZE.value, seed=0)
    # Past start-up and the batches made ahead.
    return itertools.islice(batches, 2 * 500 // _BATCH_SIZE.value, None)


def main() -> None:
    config = DataConfig(train_dir=_IMAGES.value, crop=_CROP.value)
    source = batching.train_source(config)
    start = time.perf_counter()
    pixels = sum(source[i].size for i in range(len(source)))
    decoding = pixels / (time.perf_counter() - start) / 1e6
    print(
        f"{len(source)} images, {pixels / 1e6:.0f} Mpx, decoded and converted once, at "
        f"{decoding:.0f} Mpx/s on one core; the first again: "
        f"{rate(lambda _: read_luma(source.paths[0], luma_range=LumaRange.FULL), 5):.0f} images/s"
    )
    functions = stages(source, config)
    rates: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(_ROUNDS.value):
        for name, function in functions.items():
            rates[name].append(rate(function, _COUNT.value))
    bare = next(iter(rates))
    for workers in map(int, _WORKERS.value):
        name = f"stream, {workers} workers" if workers else "stream, 1 thread"
        batches = stream(source, dataclasses.replace(config, workers=workers, threads=1))
        rates[name] = [
            _BATCH_SIZE.value
            * rate(functools.partial(consume, batches), _COUNT.value // _BATCH_SIZE.value)
            for _ in range(_ROUNDS.value)
        ]
    reference = statistics.median(rates[bare])
    print_table(
        f"Crops of {_CROP.value}×{_CROP.value} per second",
        ("", "crops/s", "share of bare Pillow"),
        [
            (name, spread(values, 0), f"{statistics.median(values) / reference:.0%}")
            for name, values in rates.items()
        ],
    )


if __name__ == "__main__":
    program.start(main)
