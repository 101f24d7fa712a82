"""One experiment as frozen dataclasses, and their way in from `ml_collections` config files."""

import dataclasses

import ml_collections

from agarnet_jax.configs import to_plain
from agarnet_jax.models import AGARNetConfig, EstimatorConfig
from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.tasks import EstimationTask, RestorationTask, Task
from data_pipelines.config import DataConfig

MODEL_CONFIGS: dict[str, type] = {"restorer": AGARNetConfig, "estimator": EstimatorConfig}


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """`task` names which network `model` configures: "restorer" or "estimator"."""

    task: str
    model: AGARNetConfig | EstimatorConfig
    data: DataConfig
    train: TrainConfig
    init_from: str = ""  # weights (a name, a file) to start from instead of at random

    def make_task(self) -> Task:
        if isinstance(self.model, AGARNetConfig):
            return RestorationTask(self.model, self.train.dct_loss_weight)
        return EstimationTask(self.model)


def default_config(task: str) -> ml_collections.ConfigDict:
    """Every setting of a task at its default, for a config file to change some."""
    experiment = ExperimentConfig(task, MODEL_CONFIGS[task](), DataConfig(), TrainConfig())
    return ml_collections.ConfigDict(to_plain(experiment)).lock()


def from_config_dict(config: ml_collections.ConfigDict) -> ExperimentConfig:
    """The frozen form of a config file's result. Values are checked by the dataclasses.

    Raises:
      ValueError: an unknown task or a value out of range.
      TypeError: a key that no dataclass has.
    """
    plain = config.to_dict()
    if plain["task"] not in MODEL_CONFIGS:
        raise ValueError(f"task is {plain['task']!r}; choose one of {', '.join(MODEL_CONFIGS)}.")
    sections = {
        "model": MODEL_CONFIGS[plain["task"]](**plain.pop("model")),
        "data": DataConfig(**plain.pop("data")),
        "train": TrainConfig(**plain.pop("train")),
    }
    return ExperimentConfig(**plain, **sections)
