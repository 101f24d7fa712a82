"""Held-out metrics during training: a mean for each quality, and one over all."""

import collections
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from jax.sharding import Mesh

from agarnet_jax.sharding import global_batch
from agarnet_jax.training.step import EvalStep


def evaluate(
    params: Any,
    batches: Iterable[tuple[int, Mapping[str, np.ndarray]]],
    *,
    eval_step: EvalStep,
    mesh: Mesh,
) -> dict[str, float]:
    """Means over images: `{metric}` over all qualities and `{metric}/q{quality}` for each.

    Raises:
      ValueError: there are no batches.
    """
    sums: dict[int, dict[str, float]] = collections.defaultdict(
        lambda: collections.defaultdict(float)
    )
    for quality, batch in batches:
        for name, value in eval_step(params, global_batch(batch, mesh)).items():
            sums[quality][name] += float(value)
    if not sums:
        raise ValueError("There is nothing to evaluate on: no images or no qualities.")
    means = {
        f"{name}/q{quality}": total / by_name["count"]
        for quality, by_name in sums.items()
        for name, total in by_name.items()
        if name != "count"
    }
    for name in {key.split("/")[0] for key in means}:
        means[name] = float(np.mean([means[f"{name}/q{quality}"] for quality in sums]))
    return means
