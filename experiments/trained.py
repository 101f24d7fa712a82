"""Loads the results of training runs from their working folders."""

import contextlib
import dataclasses
from typing import Any

from etils import epath

from agarnet_jax import weights
from agarnet_jax.checkpoint import Checkpoints, one_line_message
from agarnet_jax.configs import from_plain
from experiments.config import MODEL_CONFIGS


@dataclasses.dataclass(frozen=True)
class Trained:
    """The best checkpoint of a run by held-out score, with averaged parameters.

    `model` is the model's configuration, of the type that `MODEL_CONFIGS` has for the task.
    """

    task: str
    step: int
    model: Any
    params: Any

    def networks(self) -> dict[str, tuple[Any, Any]]:
        """Returns configuration and parameters of "restorer" and "estimator", or of one of them."""
        if self.task != "joint":
            return {self.task: (self.model, self.params)}
        return {part: (getattr(self.model, part), self.params[part]) for part in weights.PARTS}


def best_of(workdir: str, *, task: str | None = None) -> Trained:
    """Loads the best checkpoint from the working folder of a run; `task` None accepts any task.

    Raises:
      ValueError: the folder has no readable checkpoint, or the run trained another task.
    """
    folder = epath.Path(workdir) / "checkpoints"
    if not folder.is_dir():  # Checkpoints would create it
        raise ValueError(f"{workdir!r} has no checkpoint; give the --workdir of a training run.")
    with contextlib.closing(Checkpoints(folder)) as checkpoints:
        step = checkpoints.best_step()
        if step is None:
            raise ValueError(f"{workdir!r} has no complete checkpoint yet; continue the training.")
        try:
            config, params = checkpoints.config(step), checkpoints.restore_ema_params(step)
        except Exception as error:  # Orbax and TensorStore raise bare Exceptions too
            raise ValueError(
                f"The checkpoint of step {step} in {workdir!r} cannot be read "
                f"({one_line_message(error)}); move its folder away to use another one."
            ) from None
        trained = config["task"]
        if task not in (None, trained):
            raise ValueError(
                f"{workdir!r} is a training of task {trained!r}; expected task {task!r}."
            )
        model = from_plain(MODEL_CONFIGS[trained], config["model"], path="model")
        return Trained(trained, step, model, params)
