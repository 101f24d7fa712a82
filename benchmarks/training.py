"""Training steps on random crops, to be timed."""

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from agarnet_jax.sharding import global_batch, replicate
from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.optimizer import make_optimizer
from agarnet_jax.training.state import TrainState
from agarnet_jax.training.step import make_train_step, state_shardings
from agarnet_jax.training.tasks import Task
from benchmarks.timing import Case


def random_batch(count: int, side: int) -> dict[str, Any]:
    """Returns a random batch in the format of the training pipeline."""
    rng = np.random.default_rng(0)
    clean, degraded = rng.integers(0, 256, (2, count, side, side, 1), np.uint8)
    return {
        "clean": clean,
        "degraded": degraded,
        "quality": rng.integers(1, 101, (count, 1, 1, 1)).astype(np.float32),
        "tables": rng.integers(1, 100, (count, 1, 1, 64), np.uint8),
    }


def training_step(
    task: Task, config: TrainConfig, mesh: Mesh, *, params: Any, batch: dict[str, Any]
) -> Case:
    """Prepares a training step, from a batch on the host to the loss; `params` are on the host."""
    step, shardings = make_train_step(task, config, mesh), state_shardings(task, config, mesh)
    state = jax.device_put(TrainState.create(params, make_optimizer(config)), shardings)
    rate = replicate(np.float32(config.learning_rate), mesh)

    def run() -> None:
        nonlocal state
        state, metrics = step(state, global_batch(batch, mesh), rate)
        metrics["loss"].block_until_ready()

    return run
