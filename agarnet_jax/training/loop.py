"""The training loop: evaluate, save, next batch, step, log."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from agarnet_jax.checkpoint import Checkpoints
from agarnet_jax.sharding import check_batch_size, global_batch, make_mesh, replicated
from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.evaluation import evaluate
from agarnet_jax.training.logs import MetricWriter, Progress
from agarnet_jax.training.optimizer import make_optimizer, make_schedule
from agarnet_jax.training.state import TrainState, check_fit
from agarnet_jax.training.step import make_eval_step, make_train_step
from agarnet_jax.training.tasks import Task

HostBatch = Mapping[str, np.ndarray]


def train(
    task: Task,
    *,
    config: TrainConfig,
    batches_from: Callable[[int], Iterator[HostBatch]],
    eval_batches: Callable[[], Iterable[tuple[int, HostBatch]]] | None,
    workdir: str,
    resolved_config: Mapping[str, Any],
    initial_params: Any = None,
    stop_at: int | None = None,
) -> TrainState:
    """Trains up to `config.steps`, continuing from the latest checkpoint in `workdir` if any.

    Args:
      task: model and loss.
      config: the loop's settings.
      batches_from: this process's share of the training batches from a batch number on.
      eval_batches: this process's share of the held-out batches, each with its quality; None for
        no evaluation.
      workdir: receives `checkpoints/`, `metrics.jsonl` and TensorBoard events.
      resolved_config: saved with every checkpoint.
      initial_params: where a run without a checkpoint starts; None: at random.
      stop_at: step at which to save and leave early, with schedules still those of `config.steps`.

    Returns:
      The state after the last step.
    """
    mesh = make_mesh()
    check_batch_size("train.batch_size", config.batch_size, mesh)
    optimizer, schedule = make_optimizer(config), make_schedule(config)
    train_step = make_train_step(task, optimizer, ema_decay=config.ema_decay, mesh=mesh)
    eval_step = make_eval_step(task, mesh)
    last = config.steps if stop_at is None else min(stop_at, config.steps)

    def fresh_state() -> TrainState:
        params = task.init(jax.random.key(config.seed))
        if initial_params is not None:
            check_fit(initial_params, params)
            params = initial_params
        return TrainState.create(params, optimizer)

    with contextlib.ExitStack() as stack:
        checkpoints = stack.enter_context(
            contextlib.closing(Checkpoints(f"{workdir}/checkpoints", keep=config.checkpoints_kept))
        )
        writer = stack.enter_context(contextlib.closing(MetricWriter(workdir)))
        state, start = jax.jit(fresh_state, out_shardings=replicated(mesh))(), 0
        if (latest := checkpoints.latest_step()) is not None:
            state, start = checkpoints.restore(latest, state)
        progress = stack.enter_context(
            contextlib.closing(Progress(start=start, total=config.steps))
        )
        progress.say(f"Starting at step {start} of {config.steps} on {mesh.size} device(s).")
        batches = batches_from(start)

        for step in range(start, last + 1):
            finished, score = step == last, None
            if eval_batches and step > start and (finished or step % config.eval_every == 0):
                held_out = evaluate(
                    state.ema_params, eval_batches(), eval_step=eval_step, mesh=mesh
                )
                score = task.score(held_out)
                writer.write(step, "eval", held_out)
                progress.say(f"Step {step}: {_describe(held_out)}")
                progress.pause()
            if step > start and (
                finished or score is not None or step % config.checkpoint_every == 0
            ):
                checkpoints.save(step, state, config=resolved_config, score=score)
            if finished:
                break

            asked = time.monotonic()
            host_batch = next(batches)
            waited = time.monotonic() - asked
            state, metrics = train_step(state, global_batch(host_batch, mesh))
            progress.step(pixels=host_batch["degraded"].size * jax.process_count(), waited=waited)

            if (step + 1) % config.log_every == 0 or step + 1 == last:
                scalars = {name: float(value) for name, value in metrics.items()}
                scalars |= progress.rates(scalars["loss"])
                writer.write(step + 1, "train", scalars | {"learning_rate": float(schedule(step))})
    return state


def _describe(metrics: Mapping[str, float]) -> str:
    """The means over all qualities, on one line."""
    means = sorted((name, value) for name, value in metrics.items() if "/" not in name)
    return ", ".join(f"{name} {value:.3f}" for name, value in means)
