"""The stages of the input pipeline as functions to be timed."""

import dataclasses
import functools
import time
from collections.abc import Callable

import numpy as np

from data_pipelines import batching, transforms
from data_pipelines.config import DataConfig
from data_pipelines.degradations.mixture import MixtureWeights
from data_pipelines.graphics import draw_graphics
from data_pipelines.sources.images import ImageSource

Stage = Callable[[int], object]  # processes the i-th crop


def rate(stage: Stage, count: int) -> float:
    """Measures the calls per second of `stage` over the first `count` crops."""
    start = time.perf_counter()
    for i in range(count):
        stage(i)
    return count / (time.perf_counter() - start)


def stages(source: ImageSource, config: DataConfig, *, seed: int = 0) -> dict[str, Stage]:
    """Returns the stages: reading, cropping, each kind of degradation of the mixture, and samples.

    A kind's stage includes its cropping, from images that the source has already decoded.
    """
    rng = np.random.default_rng(seed)
    weights = dataclasses.asdict(config.degradation.mixture)

    def crop(i: int) -> np.ndarray:
        image = source[i % len(source)]
        return transforms.random_symmetry(transforms.random_crop(image, config.crop, rng), rng)

    def crop_and_draw(i: int) -> np.ndarray:
        return draw_graphics(crop(i), rng)

    def crop_and_degrade(kind: str) -> Stage:
        mixture = MixtureWeights(**{name: float(name == kind) for name in weights})
        degradation = dataclasses.replace(config.degradation, mixture=mixture)
        transform = transforms.RandomSample(config.crop, config.planes, degradation)
        return lambda i: transform.sample(source[i % len(source)], rng)

    sample = functools.partial(
        batching.train_sample, source, transform=batching.train_transform(config), seed=seed
    )
    return {
        "read and decode an image": lambda i: source.records.read(i % len(source)),
        "crop": crop,
        **({"crop and draw graphics": crop_and_draw} if config.graphics else {}),
        **{
            f"crop and {kind}": crop_and_degrade(kind) for kind, weight in weights.items() if weight
        },
        "samples of the training stream": sample,
    }
