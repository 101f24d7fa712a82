"""Where the time of the input pipeline goes: its stages as functions to be timed."""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from data_pipelines import batching, transforms
from data_pipelines.config import DataConfig
from data_pipelines.degradations.mixture import MixtureWeights
from data_pipelines.sources.images import ImageSource

Stage = Callable[[int], object]  # does the work of the i-th crop


def rate(stage: Stage, count: int) -> float:
    """Measures calls a second of `stage` over the first `count` crops."""
    start = time.perf_counter()
    for i in range(count):
        stage(i)
    return count / (time.perf_counter() - start)


def stages(source: ImageSource, config: DataConfig, *, seed: int = 0) -> dict[str, Stage]:
    """Returns the stages: reading, cropping, each kind of degradation of the mixture, and samples.

    Each kind includes its own cropping, of images that the source has decoded before.
    """
    rng = np.random.default_rng(seed)
    chosen = dataclasses.asdict(config.degradation.mixture)
    kinds = {}
    for kind in (name for name, weight in chosen.items() if weight):
        only = MixtureWeights(**{name: float(name == kind) for name in chosen})
        degradation = dataclasses.replace(config.degradation, mixture=only)
        kinds[kind] = transforms.RandomSample(config.crop, config.planes, degradation)

    def cropped(i: int) -> np.ndarray:
        image = source[i % len(source)]
        return transforms.random_symmetry(transforms.random_crop(image, config.crop, rng), rng)

    def degraded(kind: str) -> Stage:
        return lambda i: kinds[kind].sample(source[i % len(source)], rng)

    batch = batching.TrainBatch(
        source, transform=batching.train_transform(config), batch_size=1, seed=seed, share=range(1)
    )
    return {
        "read and decode an image": lambda i: source.records.read(i % len(source)),
        "crop": cropped,
        **{f"crop and {kind}": degraded(kind) for kind in kinds},
        "samples of the training stream": batch.sample,
    }
