"""Packs two finished runs, a restorer's and an estimator's, into one weights file.

    python -m experiments.pack_weights --restorer=WORKDIR --estimator=WORKDIR --out=FILE.safetensors

Takes the averaged parameters of each run's best checkpoint (by its held-out score).
"""

import contextlib
import pathlib
from typing import Any

from absl import flags

from agarnet_jax import weights
from agarnet_jax.checkpoint import Checkpoints
from experiments import program
from experiments.config import MODEL_CONFIGS

_RESTORER = flags.DEFINE_string(
    "restorer", None, "Working folder of the restorer's run.", required=True
)
_ESTIMATOR = flags.DEFINE_string(
    "estimator", None, "Working folder of the estimator's run.", required=True
)
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
        return MODEL_CONFIGS[task](**config["model"]), checkpoints.restore_ema_params(step)


def main() -> None:
    restorer_config, restorer_params = best_of(_RESTORER.value, "restorer")
    estimator_config, estimator_params = best_of(_ESTIMATOR.value, "estimator")
    weights.save(
        weights.Weights(restorer_config, restorer_params, estimator_config, estimator_params),
        _OUT.value,
    )
    print(f"Wrote {_OUT.value}.")


if __name__ == "__main__":
    program.start(main)
