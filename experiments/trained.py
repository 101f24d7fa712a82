"""What finished training runs hold, taken from their working folders."""

import contextlib
import dataclasses
from typing import Any

from etils import epath

from agarnet_jax.checkpoint import Checkpoints, one_line_message
from agarnet_jax.configs import from_plain
from experiments.config import MODEL_CONFIGS


@dataclasses.dataclass(frozen=True)
class Trained:
    """A run's best checkpoint by held-out score: what `task` trained, with averaged parameters.

    `model` is the configuration that `MODEL_CONFIGS` has for the task.
    """

    task: str
    step: int
    model: Any
    params: Any


def best_of(workdir: str, *, task: str | None = None) -> Trained:
    """Loads the best checkpoint in a working folder, of the given task or of any.

    Raises:
      ValueError: a folder without a checkpoint that can be read, or of another task.
    """
    folder = epath.Path(workdir) / "checkpoints"
    if not folder.is_dir():  # Checkpoints would create it
        raise ValueError(f"{workdir!r} has no checkpoint; give the --workdir of a training run.")
    with contextlib.closing(Checkpoints(folder)) as checkpoints:
        step = checkpoints.best_step()
        if step is None:
            raise ValueError(f"{workdir!r} has no finished checkpoint yet; train it further.")
        try:
            config, params = checkpoints.config(step), checkpoints.restore_ema_params(step)
        except Exception as error:  # Orbax and TensorStore raise bare Exceptions too
            raise ValueError(
                f"The checkpoint of step {step} in {workdir!r} cannot be read "
                f"({one_line_message(error)}); move its folder away to take another."
            ) from None
        trained = config["task"]
        if task not in (None, trained):
            raise ValueError(f"{workdir!r} trained a {trained}; a {task} is needed here.")
        model = from_plain(MODEL_CONFIGS[trained], config["model"], path="model")
        return Trained(trained, step, model, params)
