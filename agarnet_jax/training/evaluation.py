"""Held-out metrics during training: means per case (a degradation) and over all cases."""

import collections
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from agarnet_jax.sharding import global_batch
from agarnet_jax.training.step import EvalStep


def evaluate(
    params: Any,
    batches: Iterable[tuple[str, Mapping[str, np.ndarray]]],
    *,
    eval_step: EvalStep,
    mesh: Mesh,
    should_stop: Callable[[], bool] = lambda: False,
    on_first_batch: Callable[[str, Any, Mapping[str, jax.Array]], None] = lambda *_: None,
) -> dict[str, float] | None:
    """Returns the mean metrics over held-out images.

    Args:
      params: parameters of the task's model.
      batches: pairs of a case and this process's part of a batch (see `sharding.global_batch`).
      eval_step: the compiled step from `make_eval_step`.
      mesh: the devices that batches are sharded over.
      should_stop: called before each batch; True ends the evaluation without a result.
      on_first_batch: called with the case, the parameters and the first batch of each case.

    Returns:
      `{metric}/{case}`, the mean over the images of a case, and `{metric}`, the mean of these
      over the cases; None if `should_stop` ended the evaluation.

    Raises:
      ValueError: there are no batches.
    """
    sums: dict[str, dict[str, float]] = collections.defaultdict(
        lambda: collections.defaultdict(float)
    )
    for case, host_batch in batches:
        if should_stop():
            return None
        batch = global_batch(host_batch, mesh)
        if case not in sums:
            on_first_batch(case, params, batch)
        for name, value in eval_step(params, batch).items():
            sums[case][name] += float(value)
    if not sums:
        raise ValueError("There are no held-out images or no cases to evaluate on.")
    means = {
        f"{name}/{case}": total / by_name["count"]
        for case, by_name in sums.items()
        for name, total in by_name.items()
        if name != "count"
    }
    for name in dict.fromkeys(key.split("/")[0] for key in means):
        means[name] = float(np.mean([means[f"{name}/{case}"] for case in sums]))
    return means
