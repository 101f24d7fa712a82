"""Packs a restorer and an estimator into one weights file, from two runs or one joint run.

    python -m experiments.pack_weights --restorer=WORKDIR --estimator=WORKDIR --out=FILE.safetensors
    python -m experiments.pack_weights --joint=WORKDIR --out=FILE.safetensors

Uses the averaged parameters of each run's best checkpoint (by held-out score). Instead of a run,
--restorer and --estimator also accept a shipped name or a weights file that has this network.
"""

import pathlib
from typing import Any

from absl import flags

from agarnet_jax import atomic_files, weights
from experiments import program
from experiments.trained import best_of

_RESTORER = flags.DEFINE_string("restorer", None, "Working folder of its training, or weights.")
_ESTIMATOR = flags.DEFINE_string("estimator", None, "Working folder of its training, or weights.")
_JOINT = flags.DEFINE_string(
    "joint", None, "Working folder of a joint training, instead of the two."
)
_OUT = flags.DEFINE_string("out", None, "Weights file to write.", required=True)


def pack() -> weights.Weights:
    """Loads the networks that the flags name.

    Raises:
      ValueError: a run has no checkpoint or trained another task, or the flags do not combine.
    """
    restorer, estimator, joint = _RESTORER.value, _ESTIMATOR.value, _JOINT.value
    if joint and not (restorer or estimator):
        networks = _networks(joint, "joint")
        return weights.Weights(*networks["restorer"], *networks["estimator"])
    if restorer and estimator and not joint:
        return weights.Weights(
            *_network(restorer, task="restorer"), *_network(estimator, task="estimator")
        )
    raise ValueError("Give both --restorer and --estimator, or --joint alone.")


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
