"""Loads the networks to evaluate, and computes their outputs for a degraded image."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator, Sequence

import jax
import numpy as np
from etils import epath

from agarnet_jax import weights
from agarnet_jax.configs import to_plain
from agarnet_jax.models import AGARNetConfig, CellPlacement, EstimatorConfig
from agarnet_jax.restoration import QualitySource, Restorer
from agarnet_jax.restoration.consistency import project
from data_pipelines.degradations.degraded import Degraded
from experiments.evaluating.suites import Variant
from experiments.trained import best_of

_TILE = 1024  # larger than the images of the test sets, which are therefore not tiled
_SOURCES = {Variant.IMAGE: QualitySource.IMAGE, Variant.MAP: QualitySource.MAP}


@dataclasses.dataclass(frozen=True)
class Model:
    """A network and its name in tables.

    sha256: of the weights file, or of a training run's configuration and parameters. restores,
    estimates: whether it has a restorer and an estimator; a missing one has empty parameters.
    """

    name: str
    source: str
    sha256: str
    weights: weights.Weights
    restores: bool = True
    estimates: bool = True

    def usable(self, variants: Sequence[Variant]) -> tuple[Variant, ...]:
        """Returns those of the variants that this network can compute."""
        if self.restores and self.estimates:
            return tuple(variants)
        only = Variant.TRUE if self.restores else Variant.IMAGE
        return tuple(variant for variant in variants if variant is only)


@dataclasses.dataclass(frozen=True)
class RestorationOptions:
    """How networks are applied; see `Restorer` and `restoration.consistency`."""

    ensemble: bool = False
    consistent: bool = False
    use_traces: bool = True


@dataclasses.dataclass(frozen=True)
class Output:
    """A network's output for an image under a variant.

    image: floating point in [0, 1], not rounded; None from an estimator alone. quality: the quality
    1–100 that the restorer was given, () or (H, W).
    """

    variant: Variant
    image: np.ndarray | None
    quality: np.ndarray


def load(name: str, path: str, *, cells: CellPlacement) -> Model:
    """Loads shipped weights by name, a weights file, or the best checkpoint of a training run.

    Raises:
      ValueError: `path` names none of these.
    """
    if path not in weights.shipped_names() and epath.Path(path).is_dir():
        model = _load_run(name, path)
    else:
        trained = weights.load(path)
        file = weights.path_of(path)
        model = Model(name, path, hashlib.sha256(file.read_bytes()).hexdigest(), trained)
    estimator_config = dataclasses.replace(model.weights.estimator_config, cells=cells)
    with_cells = dataclasses.replace(model.weights, estimator_config=estimator_config)
    return dataclasses.replace(model, weights=with_cells)


def _load_run(name: str, workdir: str) -> Model:
    best = best_of(workdir)
    networks = best.networks()
    restorer = networks.get("restorer", (AGARNetConfig(), {}))
    estimator = networks.get("estimator", (EstimatorConfig(), {}))
    content = json.dumps(to_plain(best.model), sort_keys=True) + weights.digest(best.params)
    return Model(
        name,
        f"{workdir}, step {best.step}",
        hashlib.sha256(content.encode()).hexdigest(),
        weights.Weights(*restorer, *estimator),
        restores="restorer" in networks,
        estimates="estimator" in networks,
    )


def make_restorers(model: Model, options: RestorationOptions) -> list[Restorer]:
    """Creates one restorer per local device, so that each device restores its own images."""
    return [
        Restorer(model.weights, tile=_TILE, devices=[device], use_traces=options.use_traces)
        for device in jax.local_devices()
    ]


def compute_outputs(
    degraded: Degraded,
    variants: Sequence[Variant],
    *,
    model: Model,
    restorer: Restorer,
    options: RestorationOptions,
    single_gray_jpeg: bool,
) -> Iterator[Output]:
    """Yields the output of each variant; the estimator runs at most once.

    Consistency is applied only to a `single_gray_jpeg`, compressed with `degraded.table`.
    """
    image = degraded.image.astype(np.float32) / 255
    sources = [_SOURCES[variant] for variant in variants if variant in _SOURCES]
    # Lazy, so that images the estimator rejects are still restored with the true quality.
    estimates = functools.cache(lambda: restorer.estimate(image, sources=sources))
    for variant in variants:
        if variant in _SOURCES:
            quality = estimates()[_SOURCES[variant]]
        else:
            quality = degraded.quality if degraded.quality.size > 1 else degraded.quality[0, 0]
        if not model.restores:
            yield Output(variant, None, quality)
            continue
        transforms = 8 if options.ensemble else 1
        restored = restorer.restore(image, quality=quality, ensemble=transforms).image
        if options.consistent and single_gray_jpeg:
            restored = project(restored, degraded=degraded.image, table=degraded.table[0, 0])
        yield Output(variant, restored, quality)
