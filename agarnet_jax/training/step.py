"""The compiled functions of the loop: one optimizer step, and the metrics of one batch."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.lax import with_sharding_constraint
from jax.sharding import Mesh

from agarnet_jax.sharding import batch_sharding, fsdp_shardings, replicated_sharding
from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.guards import keep_if_not_finite
from agarnet_jax.training.optimizer import make_optimizer
from agarnet_jax.training.state import TrainState
from agarnet_jax.training.tasks import Batch, Metrics, Task

TrainStep = Callable[[TrainState, Batch, jax.Array], tuple[TrainState, Metrics]]
EvalStep = Callable[[Any, Batch], Metrics]


def compiler_options(mesh: Mesh) -> dict[str, int] | None:
    """Chooses how XLA compiles for the mesh; None for its defaults.

    On CPU it takes less time without LLVM's later passes, and a training step is no slower for it
    (`docs/performance.md`).
    """
    on_cpu = mesh.devices.flat[0].platform == "cpu"
    return {"xla_backend_optimization_level": 1} if on_cpu else None


def abstract_state(task: Task, config: TrainConfig, mesh: Mesh) -> TrainState:
    """Describes a state of this task and its optimizer by `jax.ShapeDtypeStruct`s.

    Each has its place on the mesh, by `sharding.fsdp_shardings`.
    """
    optimizer = make_optimizer(config)
    state = jax.eval_shape(lambda: TrainState.create(task.init(jax.random.key(0)), optimizer))
    return jax.tree.map(
        lambda leaf, at: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=at),
        state,
        fsdp_shardings(state, mesh),
    )


def state_shardings(task: Task, config: TrainConfig, mesh: Mesh) -> TrainState:
    """Describes how a state of this task lies on the mesh."""
    return jax.tree.map(lambda leaf: leaf.sharding, abstract_state(task, config, mesh))


def make_train_step(task: Task, config: TrainConfig, mesh: Mesh) -> TrainStep:
    """Compiles (state, batch, learning rate) → (state, metrics); the state's buffers are donated.

    The rate, () float32 of `learning_rates`, is no constant of the program: runs that differ in
    rate, schedule or number of steps share what was compiled.

    With `config.accumulation`, gradients and metrics are means over so many microbatches, computed
    one after the other in the memory of one. As losses are means over the batch, they are those of
    the whole up to rounding. Each device splits its own share: `sharding.check_batch_size`.
    """
    everywhere, accumulation = replicated_sharding(mesh), config.accumulation

    def loss_of(params: Any, batch: Batch) -> tuple[jax.Array, Metrics]:
        return task.loss(task.apply(params, batch), batch)

    def gradients_of(params: Any, batch: Batch) -> tuple[Any, Metrics]:
        (loss, metrics), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            params, unit_range(batch)
        )
        gradients = with_sharding_constraint(gradients, fsdp_shardings(gradients, mesh))
        return gradients, {"loss": loss, **metrics}

    def mean_gradients(params: Any, batch: Batch) -> tuple[Any, Metrics]:
        def add(total: Any, microbatch: Batch) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, gradients_of(params, microbatch)), None

        microbatches = _split(batch, accumulation, mesh)
        one = {key: value[0] for key, value in microbatches.items()}
        shapes = jax.eval_shape(gradients_of, params, one)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        total, _ = jax.lax.scan(add, zeros, microbatches)
        return jax.tree.map(lambda x: x / accumulation, total)

    def train_step(
        state: TrainState, batch: Batch, learning_rate: jax.Array
    ) -> tuple[TrainState, Metrics]:
        params = with_sharding_constraint(state.params, everywhere)
        compute = gradients_of if accumulation == 1 else mean_gradients
        gradients, metrics = compute(params, batch)
        optimizer = make_optimizer(config, lambda _: learning_rate)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        # The average forgets the start of training faster than its decay alone would.
        step = state.step.astype(jnp.float32)
        decay = jnp.minimum(config.ema_decay, (1 + step) / (10 + step))
        new_state = TrainState(
            step=state.step + 1,
            params=params,
            ema_params=optax.incremental_update(params, state.ema_params, 1 - decay),
            opt_state=opt_state,
        )
        metrics |= {"gradient_norm": optax.tree.norm(gradients)}
        return keep_if_not_finite(state, new_state, metrics)

    at = state_shardings(task, config, mesh)
    return jax.jit(
        train_step,
        in_shardings=(at, batch_sharding(mesh), everywhere),
        out_shardings=(at, everywhere),
        donate_argnums=0,
        compiler_options=compiler_options(mesh),
    )


def _split(batch: Batch, count: int, mesh: Mesh) -> Batch:
    """Splits (B, …) into (count, B / count, …); each device's images stay where they are."""

    def split(value: jax.Array) -> jax.Array:
        rest = value.shape[1:]
        by_device = value.reshape(mesh.size, count, -1, *rest).swapaxes(0, 1)
        return with_sharding_constraint(
            by_device.reshape(count, -1, *rest), batch_sharding(mesh, axis=1)
        )

    return jax.tree.map(split, batch)


def unit_range(batch: Batch) -> Batch:
    """Scales images, which come as uint8 since that is a quarter of the bytes, to [0, 1]."""
    return {
        key: value.astype(jnp.float32) / 255 if value.dtype == jnp.uint8 else value
        for key, value in batch.items()
    }


def make_eval_step(task: Task, mesh: Mesh) -> EvalStep:
    """Compiles (params, batch) → sums over the batch of every metric, and `count`.

    Images with `weight` 0 fill up a batch and do not count.
    """
    everywhere = replicated_sharding(mesh)

    def eval_step(params: Any, batch: Batch) -> Metrics:
        batch, weight = unit_range(batch), batch["weight"]
        params = with_sharding_constraint(params, everywhere)
        metrics = task.metrics(task.apply(params, batch), batch)
        sums = {name: jnp.sum(values * weight) for name, values in metrics.items()}
        return {"count": weight.sum(), **sums}

    params = jax.eval_shape(task.init, jax.random.key(0))
    return jax.jit(
        eval_step,
        in_shardings=(fsdp_shardings(params, mesh), batch_sharding(mesh)),
        out_shardings=everywhere,
    )
