"""Crops per second of the input pipeline, by stage and as a whole, compared with bare Pillow.

    python -m benchmarks.pipeline --images=FOLDER [--crop=64 --batch_size=8 --workers=0,1,2] \\
      [--kinds=jpeg,recompression,mosaic,video]

Bare Pillow encodes and decodes the same crops at the same qualities that the pipeline produced as
single JPEGs. Stages run in one thread, without prefetching; images are decoded beforehand. The last
rows are the stream as training reads it, with a consumer that does nothing else.
"""

import dataclasses
import functools
import io
import itertools
import json
import statistics
from collections.abc import Iterator

import numpy as np
from absl import flags
from PIL import Image

from benchmarks.timing import print_table, spread
from data_pipelines import batching
from data_pipelines.config import DataConfig
from data_pipelines.degradations.mixture import DegradationConfig, MixtureWeights
from data_pipelines.sources.images import ImageSource
from data_pipelines.throughput import Stage, rate, stages
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_CROP = flags.DEFINE_integer("crop", 64, "Side length of a crop.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 8, "Crops per batch.")
_WORKERS = flags.DEFINE_list("workers", ["0", "1", "2"], "Numbers of worker processes.")
_KINDS = flags.DEFINE_list("kinds", ["jpeg"], "Degradations of the stream, equally likely.")
_COUNT = flags.DEFINE_integer("count", 4000, "Crops per measurement.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Timing rounds.")

BARE = "bare Pillow: encode, decode"


def bare_pillow(source: ImageSource, config: DataConfig) -> Stage:
    """Prepares a stage that compresses the crops of a single-JPEG stream with Pillow alone."""
    single = dataclasses.replace(config, degradation=DegradationConfig())
    transform = batching.train_transform(single)
    samples = [
        batching.train_sample(source, i, transform=transform, seed=0) for i in range(_COUNT.value)
    ]
    images = [sample["clean"][..., 0] for sample in samples]
    qualities = [json.loads(sample["metadata"])["quality"] for sample in samples]

    def compress(i: int) -> None:
        buffer = io.BytesIO()
        Image.fromarray(images[i]).save(buffer, "JPEG", quality=qualities[i])
        with Image.open(buffer, formats=("JPEG",)) as decoded:
            np.asarray(decoded)

    return compress


def stream(source: ImageSource, config: DataConfig) -> Iterator[batching.Batch]:
    batches = batching.train_batches(source, config=config, batch_size=_BATCH_SIZE.value, seed=0)
    # Skips the start-up and the prefetched batches.
    return itertools.islice(batches, 2 * 500 // _BATCH_SIZE.value, None)


def consume(batches: Iterator[batching.Batch], _: int) -> None:
    next(batches)


def main() -> None:
    mixture = {kind: float(kind in _KINDS.value) for kind in vars(MixtureWeights())}
    config = DataConfig(
        train_dir=_IMAGES.value,
        crop=_CROP.value,
        degradation=DegradationConfig(mixture=MixtureWeights(**mixture)),
    )
    source = batching.train_source(config)
    pixels = sum(image.size for image in source)
    print(f"{len(source)} images, {pixels / 1e6:.0f} Mpx, crops of {_CROP.value}×{_CROP.value}")
    functions = {BARE: bare_pillow(source, config)} | stages(source, config)
    rates: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(_ROUNDS.value):
        for name, function in functions.items():
            rates[name].append(rate(function, _COUNT.value))
    for workers in map(int, _WORKERS.value):
        name = f"stream, {workers} workers" if workers else "stream, 1 thread"
        batches = stream(source, dataclasses.replace(config, workers=workers, threads=1))
        rates[name] = [
            _BATCH_SIZE.value
            * rate(functools.partial(consume, batches), _COUNT.value // _BATCH_SIZE.value)
            for _ in range(_ROUNDS.value)
        ]
    reference = statistics.median(rates[BARE])
    print_table(
        "Calls per second of each stage: crops, except for reading, which counts whole images",
        ("", "per second", "relative to bare Pillow"),
        [
            (name, spread(values, 0), f"{statistics.median(values) / reference:.0%}")
            for name, values in rates.items()
        ],
    )


if __name__ == "__main__":
    program.start(main)
