"""Packs a restorer and an estimator into one weights file: two finished runs, or one of both.

    python -m experiments.pack_weights --restorer=WORKDIR --estimator=WORKDIR --out=FILE.safetensors
    python -m experiments.pack_weights --joint=WORKDIR --out=FILE.safetensors

Takes the averaged parameters of each run's best checkpoint (by its held-out score).
"""

import contextlib
import pathlib
from typing import Any

from absl import flags

from agarnet_jax import weights
from agarnet_jax.checkpoint import Checkpoints
from agarnet_jax.configs import from_plain
from experiments import program
from experiments.config import MODEL_CONFIGS

_RESTORER = flags.DEFINE_string("restorer", None, "Working folder of the restorer's run.")
_ESTIMATOR = flags.DEFINE_string("estimator", None, "Working folder of the estimator's run.")
_JOINT = flags.DEFINE_string("joint", None, "Working folder of a run of both, instead of the two.")
_OUT = flags.DEFINE_string("out", None, "File to write.", required=True)


def best_of(workdir: str, task: str) -> tuple[Any, Any]:
    """The model configuration and averaged parameters of a run's best checkpoint."""
    folder = pathlib.Path(workdir) / "checkpoints"
    if not folder.is_dir():  # Checkpoints would create it
        raise ValueError(f"{workdir!r} has no checkpoint; give the --workdir of a training run.")
    with contextlib.closing(Checkpoints(folder)) as checkpoints:
        step = checkpoints.best_step()
        if step is None:
            raise ValueError(f"{workdir!r} has no finished checkpoint yet; train it further.")
        config = checkpoints.config(step)
        if config["task"] != task:
            raise ValueError(f"{workdir!r} trained a {config['task']}; a {task} is needed here.")
        print(f"{task}: {workdir}, step {step}")
        model = from_plain(MODEL_CONFIGS[task], config["model"], path="model")
        return model, checkpoints.restore_ema_params(step)


def packed() -> weights.Weights:
    """The networks that the flags name.

    Raises:
      ValueError: a run without a checkpoint or of another task, or the wrong flags together.
    """
    restorer, estimator, joint = _RESTORER.value, _ESTIMATOR.value, _JOINT.value
    if joint and not (restorer or estimator):
        both, params = best_of(joint, "joint")
        return weights.Weights(
            both.restorer, params["restorer"], both.estimator, params["estimator"]
        )
    if restorer and estimator and not joint:
        return weights.Weights(*best_of(restorer, "restorer"), *best_of(estimator, "estimator"))
    raise ValueError("Give --restorer and --estimator, or --joint alone.")


def main() -> None:
    with program.one_line_errors():
        weights.save(packed(), _OUT.value)
    print(f"Wrote {_OUT.value}.")


if __name__ == "__main__":
    program.start(main)
