"""One experiment as frozen dataclasses, built from `ml_collections` config files."""

import dataclasses
import math
from typing import Any

import ml_collections

from agarnet_jax import weights
from agarnet_jax.configs import field_types, nearest, to_plain, typed_fields
from agarnet_jax.jpeg_tables import TableScaling
from agarnet_jax.models import CELL, AGARNetConfig, CellPlacement, EstimatorConfig
from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.joint import JointConfig, JointTask
from agarnet_jax.training.tasks import EstimationTask, RestorationTask, Task
from agarnet_jax.training.warm_start import InitialFit
from data_pipelines.config import DataConfig

ModelConfig = AGARNetConfig | EstimatorConfig | JointConfig
MODEL_CONFIGS: dict[str, type] = {
    "restorer": AGARNetConfig,
    "estimator": EstimatorConfig,
    "joint": JointConfig,
}

# Fields of `DataConfig` that may differ between machines with the same images.
_MACHINE_FIELDS = ("train_dir", "eval_dir", "threads", "workers", "cache_gib")


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """One experiment. `task` says what `model` configures: "restorer", "estimator" or "joint"."""

    task: str
    model: ModelConfig
    data: DataConfig
    train: TrainConfig
    init_from: str = ""  # initial weights: a shipped name or a file; empty: random

    def __post_init__(self) -> None:
        self._check_batches()
        self._check_held_out()
        if self.task == "joint" and self.data.planes.cb + self.data.planes.cr:
            raise ValueError(
                "config.data.planes has cb or cr, but joint training computes luma tables only; "
                "set both to 0."
            )
        if self.train.init_fit is not InitialFit.EXACT and not self.init_from:
            raise ValueError(
                f"config.train.init_fit is {self.train.init_fit.value}, but config.init_from is "
                "empty; set it to a shipped name or a weights file."
            )

    def _check_batches(self) -> None:
        for phase in self.data.phases(self.train.batch_size):
            if phase.batch_size % self.train.accumulation:
                raise ValueError(
                    f"The batch size is {phase.batch_size} from step {phase.start} on; use a "
                    f"multiple of config.train.accumulation ({self.train.accumulation})."
                )
            if self.task != "restorer" and phase.crop % CELL:
                raise ValueError(
                    f"config.data.crop is {phase.crop} from step {phase.start} on; the estimator "
                    f"trains on whole {CELL}×{CELL} cells, so use a multiple of {CELL}."
                )

    def _check_held_out(self) -> None:
        estimator = self.model.estimator if isinstance(self.model, JointConfig) else self.model
        released = (
            isinstance(estimator, EstimatorConfig) and estimator.cells is CellPlacement.RELEASED
        )
        if released and self.data.eval_crop < CELL:
            raise ValueError(
                f"config.data.eval_crop is {self.data.eval_crop}, but released cells need a whole "
                f"{CELL}×{CELL} cell; use {CELL} or more."
            )

    def settings(self) -> dict[str, Any]:
        """Returns the settings that all machines of a run share, as plain values.

        Excludes the paths of images and how images are read.
        """
        plain = to_plain(self)
        for name in _MACHINE_FIELDS:
            del plain["data"][name]
        return plain

    @property
    def batch_size_gcd(self) -> int:
        """Greatest common divisor of all batch sizes; the number of devices must divide it."""
        phases = self.data.phases(self.train.batch_size)
        held_out = [self.data.eval_batch_size] if self.data.eval_dir else []
        return math.gcd(*(p.batch_size // self.train.accumulation for p in phases), *held_out)

    def make_task(self) -> Task:
        if isinstance(self.model, AGARNetConfig):
            return self._restoration(self.model)
        if isinstance(self.model, EstimatorConfig):
            return EstimationTask(self.model)
        return JointTask(
            self._restoration(self.model.restorer),
            EstimationTask(self.model.estimator),
            self.train.joint,
        )

    def _restoration(self, model: AGARNetConfig) -> RestorationTask:
        return RestorationTask(model, self.train.dct_loss_weight, self.train.loss)

    def initial_params(self) -> Any:
        """Loads this task's parameters from the weights `init_from`; None if it is empty.

        Raises:
          ValueError: there are no such weights.
        """
        if not self.init_from:
            return None
        trained = weights.load(self.init_from)
        both = {"restorer": trained.restorer_params, "estimator": trained.estimator_params}
        return both if self.task == "joint" else both[self.task]


def default_config(task: str) -> ml_collections.ConfigDict:
    """Returns all settings of a task at their defaults, for config files to modify."""
    # Restorers are trained and run with the tables of real files.
    restorer = AGARNetConfig(table_scaling=TableScaling.LIBJPEG)
    models: dict[str, ModelConfig] = {
        "restorer": restorer,
        "estimator": EstimatorConfig(),
        "joint": JointConfig(restorer=restorer),
    }
    experiment = ExperimentConfig(task, models[task], DataConfig(), TrainConfig())
    return ml_collections.ConfigDict(to_plain(experiment)).lock()


def from_config_dict(config: ml_collections.ConfigDict) -> ExperimentConfig:
    """Converts the result of a config file to dataclasses, which check the values.

    Raises:
      ValueError: an unknown task or key, or a value of the wrong type or out of range. The message
        is one line.
    """
    plain = config.to_dict()
    task = plain.get("task")
    if task not in MODEL_CONFIGS:
        raise ValueError(f"config.task is {task!r}; {nearest(str(task), MODEL_CONFIGS)}.")
    kinds = field_types(ExperimentConfig) | {"model": MODEL_CONFIGS[task]}
    return ExperimentConfig(**typed_fields(kinds, plain, path="config"))
