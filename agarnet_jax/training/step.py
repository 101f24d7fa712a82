"""The compiled functions of the loop: one optimizer step, and the metrics of one batch."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from agarnet_jax.sharding import replicated, split_by_batch
from agarnet_jax.training.state import TrainState
from agarnet_jax.training.tasks import Batch, Metrics, Task

TrainStep = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
EvalStep = Callable[[Any, Batch], Metrics]


def make_train_step(
    task: Task, optimizer: optax.GradientTransformation, *, ema_decay: float, mesh: Mesh
) -> TrainStep:
    """(state, batch) → (state, metrics), with the state's buffers donated."""

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        (loss, metrics), gradients = jax.value_and_grad(task.loss, has_aux=True)(
            state.params, _unit_range(batch)
        )
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        # The average forgets the start of training faster than its decay alone would.
        step = state.step.astype(jnp.float32)
        decay = jnp.minimum(ema_decay, (1 + step) / (10 + step))
        new_state = TrainState(
            step=state.step + 1,
            params=params,
            ema_params=optax.incremental_update(params, state.ema_params, 1 - decay),
            opt_state=opt_state,
        )
        norm = optax.tree.norm(gradients)
        return new_state, {"loss": loss, "gradient_norm": norm, **metrics}

    everywhere, split = replicated(mesh), split_by_batch(mesh)
    return jax.jit(
        train_step,
        in_shardings=(everywhere, split),
        out_shardings=everywhere,
        donate_argnums=0,
    )


def _unit_range(batch: Batch) -> Batch:
    """Images come as uint8, a quarter of the bytes to carry; from here on they are in [0, 1]."""
    return {
        key: value.astype(jnp.float32) / 255 if value.dtype == jnp.uint8 else value
        for key, value in batch.items()
    }


def make_eval_step(task: Task, mesh: Mesh) -> EvalStep:
    """(params, batch) → sums over the batch of every metric, and `count`.

    Images with `weight` 0 fill up a batch and do not count.
    """

    def eval_step(params: Any, batch: Batch) -> Metrics:
        weight = batch["weight"]
        metrics = task.evaluate(params, _unit_range(batch))
        sums = {name: jnp.sum(values * weight) for name, values in metrics.items()}
        return {"count": weight.sum(), **sums}

    everywhere, split = replicated(mesh), split_by_batch(mesh)
    return jax.jit(eval_step, in_shardings=(everywhere, split), out_shardings=everywhere)
