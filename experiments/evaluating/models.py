"""Networks to evaluate, from whatever holds them, and what they make of a degraded image."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

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

_TILE = 1024  # the test sets' images stay whole
_SOURCES = {Variant.IMAGE: QualitySource.IMAGE, Variant.MAP: QualitySource.MAP}


@dataclasses.dataclass(frozen=True)
class Model:
    """A network and the name it has in tables.

    sha256: of the weights file, or of the parameters of a training run. restores, estimates:
    whether it has a restorer and an estimator; parameters of one that is not there are empty.
    """

    name: str
    source: str
    sha256: str
    weights: weights.Weights
    restores: bool = True
    estimates: bool = True

    def usable(self, variants: Sequence[Variant]) -> tuple[Variant, ...]:
        """Returns the variants that this network can compute."""
        if self.restores and self.estimates:
            return tuple(variants)
        only = Variant.TRUE if self.restores else Variant.IMAGE
        return tuple(variant for variant in variants if variant is only)


@dataclasses.dataclass(frozen=True)
class Treatment:
    """Options besides the network itself; see `restoration.ensemble` and `.consistency`."""

    ensemble: bool = False
    consistent: bool = False
    read_steps: bool = True


@dataclasses.dataclass(frozen=True)
class Output:
    """What a network makes of an image under a variant.

    image: floating point in [0, 1], not rounded; None from an estimator alone. assumed: the quality
    1–100 that the network was told, () or (H, W).
    """

    variant: Variant
    image: np.ndarray | None
    assumed: np.ndarray


def load(name: str, place: str, *, cells: CellPlacement) -> Model:
    """Loads shipped weights by name, a weights file, or the working folder of a training run.

    Raises:
      ValueError: nothing of the kind.
    """
    folder = epath.Path(place)
    if place not in weights.shipped_names() and folder.is_dir():
        model = _of_run(name, place)
    else:
        trained = weights.load(place)
        file = weights.path_of(place)
        model = Model(name, place, hashlib.sha256(file.read_bytes()).hexdigest(), trained)
    placed = dataclasses.replace(model.weights.estimator_config, cells=cells)
    with_cells = dataclasses.replace(model.weights, estimator_config=placed)
    return dataclasses.replace(model, weights=with_cells)


def _of_run(name: str, place: str) -> Model:
    best = best_of(place)
    parts: dict[str, Any] = {
        "restorer_config": AGARNetConfig(),
        "restorer_params": {},
        "estimator_config": EstimatorConfig(),
        "estimator_params": {},
    }
    tasks = ("restorer", "estimator") if best.task == "joint" else (best.task,)
    for task in tasks:
        joint = best.task == "joint"
        parts[f"{task}_config"] = getattr(best.model, task) if joint else best.model
        parts[f"{task}_params"] = best.params[task] if joint else best.params
    whole = json.dumps(to_plain(best.model), sort_keys=True) + weights.digest(best.params)
    return Model(
        name,
        f"{place}, step {best.step}",
        hashlib.sha256(whole.encode()).hexdigest(),
        weights.Weights(**parts),
        restores="restorer" in tasks,
        estimates="estimator" in tasks,
    )


def restorers(model: Model, treatment: Treatment) -> list[Restorer]:
    """One for each local device, so that each works on an image of its own."""
    steps = treatment.read_steps
    return [
        Restorer(model.weights, tile=_TILE, devices=[device], read_steps=steps)
        for device in jax.local_devices()
    ]


def outputs(
    degraded: Degraded,
    variants: Sequence[Variant],
    *,
    model: Model,
    restorer: Restorer,
    treatment: Treatment,
    consistent: bool,
) -> Iterator[Output]:
    """Yields what each variant makes of an image; the estimator looks at it once.

    `consistent`: whether the image is a single gray JPEG of `degraded.table`.
    """
    image = degraded.image.astype(np.float32) / 255
    sources = [_SOURCES[variant] for variant in variants if variant in _SOURCES]
    # Estimated late: an image that the estimator cannot take is restored with the true quality.
    estimates = functools.cache(lambda: restorer.estimate(image, sources=sources))
    for variant in variants:
        if variant in _SOURCES:
            quality = estimates()[_SOURCES[variant]]
        else:
            quality = degraded.quality if degraded.quality.size > 1 else degraded.quality[0, 0]
        if not model.restores:
            yield Output(variant, None, quality)
            continue
        turned = 8 if treatment.ensemble else 1
        restored = restorer.restore(image, quality=quality, ensemble=turned).image
        if treatment.consistent and consistent:
            restored = project(restored, degraded=degraded.image, table=degraded.table[0, 0])
        yield Output(variant, restored, quality)
