"""The compiled functions of the loop: a training step, and the metrics of one batch."""

import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.lax import with_sharding_constraint
from jax.sharding import Mesh

from agarnet_jax.sharding import batch_sharding, fsdp_shardings, replicated_sharding
from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.guards import apply_if_finite
from agarnet_jax.training.optimizer import make_optimizer
from agarnet_jax.training.state import TrainState
from agarnet_jax.training.tasks import Batch, Metrics, Task

TrainStep = Callable[[TrainState, Batch, jax.Array], tuple[TrainState, Metrics]]
EvalStep = Callable[[Any, Batch], Metrics]


def compiler_options(mesh: Mesh) -> dict[str, int] | None:
    """Returns XLA's compiler options for the mesh; None for its defaults.

    On CPU, leaving out LLVM's later passes shortens compilation, and training steps are not slower
    (`docs/performance.md`). A level in `XLA_FLAGS` has precedence.
    """
    on_cpu, option = mesh.devices.flat[0].platform == "cpu", "xla_backend_optimization_level"
    set_by_flag = option in os.environ.get("XLA_FLAGS", "")
    return {option: 1} if on_cpu and not set_by_flag else None


def abstract_state(task: Task, config: TrainConfig, mesh: Mesh) -> TrainState:
    """Returns the training state as `jax.ShapeDtypeStruct`s, with shardings on the mesh."""
    optimizer = make_optimizer(config)
    state = jax.eval_shape(lambda: TrainState.create(task.init(jax.random.key(0)), optimizer))
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        state,
        fsdp_shardings(state, mesh),
    )


def state_shardings(task: Task, config: TrainConfig, mesh: Mesh) -> TrainState:
    """Returns the shardings of the training state on the mesh."""
    return jax.tree.map(lambda leaf: leaf.sharding, abstract_state(task, config, mesh))


def make_train_step(task: Task, config: TrainConfig, mesh: Mesh) -> TrainStep:
    """Compiles (state, batch, learning rate) → (state, metrics); the state's buffers are donated.

    The learning rate, () float32 from `learning_rates`, is an argument rather than a constant, so
    runs that differ only in rate, schedule or number of steps share the compiled program.

    With `config.accumulation` > 1, gradients and metrics are means over that many microbatches,
    computed sequentially in the memory of one. Losses are means over the batch, so the result is
    that of the whole batch up to rounding. Each device splits its own part of the batch (see
    `sharding.check_batch_size`).
    """
    replicated, accumulation = replicated_sharding(mesh), config.accumulation

    def loss_of(params: Any, batch: Batch) -> tuple[jax.Array, Metrics]:
        return task.loss(task.apply(params, batch), batch)

    def gradients_of(params: Any, batch: Batch) -> tuple[Any, Metrics]:
        (loss, metrics), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            params, to_unit_range(batch)
        )
        gradients = with_sharding_constraint(gradients, fsdp_shardings(gradients, mesh))
        return gradients, {"loss": loss, **metrics}

    def mean_gradients(params: Any, batch: Batch) -> tuple[Any, Metrics]:
        def add(total: Any, microbatch: Batch) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, gradients_of(params, microbatch)), None

        microbatches = _split(batch, accumulation, mesh)
        first = {key: value[0] for key, value in microbatches.items()}
        shapes = jax.eval_shape(gradients_of, params, first)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        total, _ = jax.lax.scan(add, zeros, microbatches)
        return jax.tree.map(lambda x: x / accumulation, total)

    def train_step(
        state: TrainState, batch: Batch, learning_rate: jax.Array
    ) -> tuple[TrainState, Metrics]:
        params = with_sharding_constraint(state.params, replicated)
        compute = gradients_of if accumulation == 1 else mean_gradients
        gradients, metrics = compute(params, batch)
        optimizer = make_optimizer(config, lambda _: learning_rate)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        # EMA warm-up: early parameters are forgotten faster than by `ema_decay` alone.
        step = state.step.astype(jnp.float32)
        decay = jnp.minimum(config.ema_decay, (1 + step) / (10 + step))
        new_state = TrainState(
            step=state.step + 1,
            params=params,
            ema_params=optax.incremental_update(params, state.ema_params, 1 - decay),
            opt_state=opt_state,
        )
        metrics |= {"gradient_norm": optax.tree.norm(gradients)}
        return apply_if_finite(state, new_state, metrics)

    shardings = state_shardings(task, config, mesh)
    return jax.jit(
        train_step,
        in_shardings=(shardings, batch_sharding(mesh), replicated),
        out_shardings=(shardings, replicated),
        donate_argnums=0,
        compiler_options=compiler_options(mesh),
    )


def _split(batch: Batch, count: int, mesh: Mesh) -> Batch:
    """Splits (B, …) into (count, B / count, …) without moving images between devices."""

    def split(value: jax.Array) -> jax.Array:
        rest = value.shape[1:]
        by_device = value.reshape(mesh.size, count, -1, *rest).swapaxes(0, 1)
        return with_sharding_constraint(
            by_device.reshape(count, -1, *rest), batch_sharding(mesh, axis=1)
        )

    return jax.tree.map(split, batch)


def to_unit_range(batch: Batch) -> Batch:
    """Scales uint8 images, which take a quarter of the memory to transfer, to float32 [0, 1]."""
    return {
        key: value.astype(jnp.float32) / 255 if value.dtype == jnp.uint8 else value
        for key, value in batch.items()
    }


def make_eval_step(task: Task, mesh: Mesh) -> EvalStep:
    """Compiles (params, batch) → sums of all metrics over the batch, and `count`, the image count.

    Padding images have `weight` 0 and are not counted.
    """
    replicated = replicated_sharding(mesh)

    def eval_step(params: Any, batch: Batch) -> Metrics:
        batch, weight = to_unit_range(batch), batch["weight"]
        params = with_sharding_constraint(params, replicated)
        metrics = task.metrics(task.apply(params, batch), batch)
        sums = {name: jnp.sum(values * weight) for name, values in metrics.items()}
        return {"count": weight.sum(), **sums}

    params = jax.eval_shape(task.init, jax.random.key(0))
    return jax.jit(
        eval_step,
        in_shardings=(fsdp_shardings(params, mesh), batch_sharding(mesh)),
        out_shardings=replicated,
    )
