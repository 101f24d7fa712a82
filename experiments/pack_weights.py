"""Packs a restorer and an estimator into one weights file, from two runs or one joint run.

    python -m experiments.pack_weights --restorer=WORKDIR --estimator=WORKDIR --out=FILE.safetensors
    python -m experiments.pack_weights --joint=WORKDIR --out=FILE.safetensors

Uses the averaged parameters of each run's best checkpoint (by held-out score). Instead of a run,
--restorer and --estimator also accept a shipped name or a weights file that has this network.

Given several times, they pack the mean of the parameters. The mean of a network and of one that was
trained further on other images is often good at both (Wortsman et al., "Robust fine-tuning of
zero-shot models", CVPR 2022):

    python -m experiments.pack_weights --restorer=tiny --restorer=WORKDIR --estimator=tiny \\
      --out=FILE.safetensors
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from absl import flags

from agarnet_jax import atomic_files, weights
from experiments import program
from experiments.trained import best_of

_RESTORER = flags.DEFINE_multi_string(
    "restorer", [], "Working folder of its training, or weights. Of several, the mean."
)
_ESTIMATOR = flags.DEFINE_multi_string(
    "estimator", [], "Working folder of its training, or weights. Of several, the mean."
)
_JOINT = flags.DEFINE_string(
    "joint", None, "Working folder of a joint training, instead of the two."
)
_OUT = flags.DEFINE_string("out", None, "Weights file to write.", required=True)


def pack() -> weights.Weights:
    """Loads the networks that the flags name.

    Raises:
      ValueError: a run has no checkpoint or trained another task, networks to average differ in
        their configuration, or the flags do not combine.
    """
    restorer, estimator, joint = _RESTORER.value, _ESTIMATOR.value, _JOINT.value
    if joint and not (restorer or estimator):
        networks = _networks(joint, "joint")
        return weights.Weights(*networks["restorer"], *networks["estimator"])
    if restorer and estimator and not joint:
        return weights.Weights(
            *_mean_network(restorer, task="restorer"), *_mean_network(estimator, task="estimator")
        )
    raise ValueError("Give both --restorer and --estimator, or --joint alone.")


def _mean_network(sources: Sequence[str], *, task: str) -> tuple[Any, Any]:
    """Loads networks of one configuration, and averages their parameters."""
    configs, params = zip(*(_network(source, task=task) for source in sources))
    for source, config in zip(sources, configs):
        if config != configs[0]:
            raise ValueError(
                f"The {task}s of {sources[0]!r} and {source!r} have different configurations, so "
                "they cannot be averaged."
            )
    return configs[0], jax.tree.map(_mean, *params)


def _mean(*arrays: np.ndarray) -> np.ndarray:
    return np.asarray(np.mean(arrays, axis=0, dtype=np.float64), np.float32)


def _network(source: str, *, task: str) -> tuple[Any, Any]:
    """Loads a network's configuration and parameters from a run or from weights."""
    if source in weights.shipped_names() or pathlib.Path(source).is_file():
        whole = weights.load(source)
        print(f"{task}: {source}")
        if task == "restorer":
            return whole.restorer_config, whole.restorer_params
        return whole.estimator_config, whole.estimator_params
    return _networks(source, task)[task]


def _networks(workdir: str, task: str) -> dict[str, tuple[Any, Any]]:
    best = best_of(workdir, task=task)
    print(f"{task}: {workdir}, step {best.step}")
    return best.networks()


def main() -> None:
    with program.one_line_errors():
        atomic_files.check_file(_OUT.value)
        weights.save(pack(), _OUT.value)
    print(f"Wrote {_OUT.value}.")


if __name__ == "__main__":
    program.start(main)
