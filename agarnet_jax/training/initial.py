"""Creates the state of a run that has no checkpoint to resume from."""

import logging
from typing import Any

import jax
from jax.sharding import Mesh

from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.optimizer import make_optimizer
from agarnet_jax.training.state import TrainState
from agarnet_jax.training.step import compiler_options, state_shardings
from agarnet_jax.training.tasks import Task
from agarnet_jax.training.warm_start import check_initial_params, load_initial_params


def initial_state(
    task: Task, config: TrainConfig, mesh: Mesh, initial_params: Any | None
) -> TrainState:
    """Creates the state before the first step, sharded over the mesh.

    Parameters are random, or loaded from `initial_params` as `config.init_fit` says.

    Raises:
      MisfitError: `initial_params` do not fit the model.
    """
    key = jax.random.key(config.seed)
    if initial_params is not None:
        expected = jax.eval_shape(task.init, key)
        if report := check_initial_params(initial_params, expected, config.init_fit):
            logging.getLogger(__name__).warning("%s", report)

    def create(key: jax.Array, initial_params: Any | None) -> TrainState:
        params = task.init(key)
        if initial_params is not None:
            params = load_initial_params(initial_params, params, config.init_fit)
        return TrainState.create(params, make_optimizer(config))

    program = jax.jit(
        create,
        out_shardings=state_shardings(task, config, mesh),
        compiler_options=compiler_options(mesh),
    )
    return program(key, initial_params)
