"""Batches of held-out images: every image in every evaluation case."""

from collections.abc import Iterator

import numpy as np

from agarnet_jax.color import LumaRange
from data_pipelines import transforms
from data_pipelines.batching import Batch, local_positions, open_configured, stack
from data_pipelines.config import DataConfig
from data_pipelines.degradations import mosaic, recompression
from data_pipelines.degradations.degraded import Degradation
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.planes import TrainingPlane
from data_pipelines.sources.images import ImageSource
from data_pipelines.transforms import Sample

_SHIFT = (4, 4)  # of the grid in double JPEG, as in `docs/evaluation.md`


def eval_source(config: DataConfig) -> ImageSource:
    """Opens the held-out images as studio-range luma, which the papers evaluate.

    Raises the errors of `batching.open_configured`.
    """
    return open_configured(
        config,
        "eval_dir",
        luma_range=LumaRange.STUDIO,
        min_side=max(case.input_side(config.eval_crop) for case in eval_cases(config).values()),
    )


def eval_cases(config: DataConfig) -> dict[str, Degradation]:
    """Returns the degradations to evaluate by name: "q10", "double10_50", "mosaic10_80"."""
    cases: dict[str, Degradation] = {f"q{q}": Jpeg(q) for q in config.eval_qualities}
    for first, second in config.eval_doubles:
        degradation = recompression.double(first, second, shift=_SHIFT)
        cases[f"double{first}_{second}"] = degradation
    for left, right in config.eval_mosaics:
        cases[f"mosaic{left}_{right}"] = mosaic.halves(left, right)
    return cases


def eval_batches(
    source: ImageSource,
    *,
    config: DataConfig,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[tuple[str, Batch]]:
    """Yields batches of every usable held-out image in every case of `eval_cases`, once.

    Yields:
      (case, batch). All batches of a case have one shape: copies fill up the last one, and other
      images replace broken ones. Both have `weight` (b,) 0; all other samples have 1.
    """
    positions = local_positions(config.eval_batch_size, process_index, process_count)
    for case, degradation in eval_cases(config).items():
        for first in range(0, len(source), config.eval_batch_size):
            samples = [
                _make_sample(source, first + position, degradation, config)
                for position in positions
            ]
            yield case, stack(samples)


def _make_sample(
    source: ImageSource, index: int, degradation: Degradation, config: DataConfig
) -> Sample:
    image = source.read(index) if index < len(source) else None
    weight = np.array(image is not None, np.float32)
    if image is None:
        image = source[index % len(source)]
    side = degradation.input_side(config.eval_crop)
    degraded = degradation.apply(transforms.centre_crop(image, side))
    sample = transforms.make_sample(
        degraded,
        side=config.eval_crop,
        pixelwise=degraded.quality.size > 1,
        metadata=transforms.describe(TrainingPlane.STUDIO, degradation),
    )
    return sample | {"weight": weight}
