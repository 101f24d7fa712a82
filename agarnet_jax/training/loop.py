"""The training loop: evaluate, save, next batch, step, log."""

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from agarnet_jax.checkpoint import CheckpointError, Checkpoints
from agarnet_jax.sharding import check_batch_size, global_batch, make_mesh, replicate
from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.evaluation import evaluate
from agarnet_jax.training.initial import initial_state
from agarnet_jax.training.observers import Observers
from agarnet_jax.training.optimizer import learning_rates
from agarnet_jax.training.signals import Interrupted, StopSignals
from agarnet_jax.training.state import TrainState
from agarnet_jax.training.step import abstract_state, make_eval_step, make_train_step
from agarnet_jax.training.tasks import Task

HostBatch = Mapping[str, np.ndarray]
EvalBatch = tuple[str, HostBatch]  # name of the case, held-out batch

_INIT_FROM = "init_from"  # the setting that names the initial weights


def train(
    task: Task,
    *,
    config: TrainConfig,
    batches_from: Callable[[int], Iterator[HostBatch]],
    eval_batches: Callable[[], Iterable[EvalBatch]] | None,
    workdir: str,
    resolved_config: Mapping[str, Any],
    initial_params: Any = None,
    stop_at: int | None = None,
    on_evaluation: Callable[[int, float], None] | None = None,
    before_leaving: Callable[[], None] | None = None,
    profile_steps: tuple[int, int] | None = None,
) -> TrainState:
    """Trains up to `config.steps`, resuming from the latest checkpoint in `workdir` if any.

    Args:
      task: model and loss.
      config: settings of the loop.
      batches_from: returns this process's part of the training batches from a batch index on.
      eval_batches: returns the cases and this process's part of the held-out batches; None for no
        evaluation.
      workdir: receives `checkpoints/`, `metrics.jsonl` and TensorBoard events.
      resolved_config: saved with every checkpoint; a resumed run keeps its original `init_from`.
        Differences from the saved configuration are printed; those of `observers.IMAGES` in words.
      initial_params: initial parameters of a run without a checkpoint; None for random ones.
      stop_at: step at which to save and stop early; schedules still follow `config.steps`.
      on_evaluation: called with (step, score) after each evaluation, before that step is saved. A
        run that is killed in between evaluates and reports it again. It may raise to end the run.
      before_leaving: called where a signal ends the process at once, without saving: before the
        first step, or when it is sent twice.
      profile_steps: first and last step, counted from 1, of a profile in `workdir/profile`; with
        several processes, in `workdir/profile/process{index}`.

    Returns:
      The state after the last step.

    Raises:
      Interrupted: a signal asked to stop; the state was saved, and the same call resumes.
      FloatingPointError: `config.max_non_finite` consecutive updates were skipped.
      CheckpointError: there are checkpoints, but none that can be read and fits the model; or the
        run started from another `init_from` than `resolved_config` requests.
      MisfitError: the initial parameters do not fit the model.
      ValueError: the batch size is not divisible among devices and microbatches.
    """
    mesh = make_mesh(fsdp=config.fsdp)
    check_batch_size("train.batch_size", config.batch_size, mesh, accumulation=config.accumulation)
    train_step, eval_step = make_train_step(task, config, mesh), make_eval_step(task, mesh)
    last = config.steps if stop_at is None else min(stop_at, config.steps)

    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(StopSignals(before_leaving))
        checkpoints = Checkpoints(
            f"{workdir}/checkpoints",
            keep=config.checkpoints_kept,
            keep_period=config.checkpoint_keep_period,
        )
        stack.callback(checkpoints.close)
        restored = checkpoints.restore_latest(abstract_state(task, config, mesh), resolved_config)
        state, start = restored or (initial_state(task, config, mesh, initial_params), 0)
        saved_config = checkpoints.config(start) if start else {}
        resolved_config = _keep_init_from(resolved_config, saved_config, workdir)
        observers = Observers(
            task,
            config=config,
            mesh=mesh,
            workdir=workdir,
            start=start,
            last=last,
            profile_steps=profile_steps,
        )
        stack.callback(observers.close)
        if start:
            observers.on_resume(saved_config, resolved_config)
        batches, rates = batches_from(start), learning_rates(config, start)

        def should_stop() -> bool:
            observers.on_eval_batch()
            return stop.requested(agree=True)

        def evaluate_and_report(
            step: int, params: Any, held_out: Iterable[EvalBatch]
        ) -> float | None:
            """Returns the score; None if a signal ended the evaluation."""
            means = evaluate(
                params,
                held_out,
                eval_step=eval_step,
                mesh=mesh,
                should_stop=should_stop,
                on_first_batch=functools.partial(observers.show_samples, step),
            )
            if means is None:
                return None
            score = observers.on_evaluation(step, means)
            if on_evaluation is not None:
                on_evaluation(step, score)
            return score

        def run_step(step: int, state: TrainState) -> TrainState:
            """Runs and reports the step from `step` to the next."""
            before = time.monotonic()
            host_batch = next(batches)
            data_wait = time.monotonic() - before
            batch, rate = global_batch(host_batch, mesh), replicate(next(rates), mesh)
            observers.before_step(step, state)
            with (
                jax.profiler.StepTraceAnnotation("train", step_num=step + 1),
                # Any other host array would be transferred again in every step.
                jax.transfer_guard_host_to_device("disallow"),
            ):
                state, metrics = train_step(state, batch, rate)
            stop.something_to_save = True
            observers.after_step(step, host_batch, metrics, data_wait=data_wait)
            if (step + 1) % config.log_every == 0 or step + 1 == last:
                observers.log(step + 1, metrics, learning_rate=float(rate))
            return state

        for step in range(start, last + 1):
            finished, score = step == last, None
            leaving = stop.requested(agree=finished or step % config.agree_every == 0)
            due = step > 0 and (step == config.steps or step % config.eval_every == 0)
            if eval_batches and due and not leaving and not checkpoints.is_scored(step):
                score = evaluate_and_report(step, state.ema_params, eval_batches())
                leaving = score is None
            save = finished or leaving or score is not None or step % config.checkpoint_every == 0
            if step > 0 and save:
                checkpoints.save(step, state, config=resolved_config, score=score)
            if leaving:
                observers.on_interrupt(step)
                raise Interrupted(stop.number)
            if finished:
                observers.on_finish(checkpoints.best_score())
            else:
                state = run_step(step, state)
    return state


def _keep_init_from(
    current: Mapping[str, Any], saved: Mapping[str, Any], workdir: str
) -> Mapping[str, Any]:
    """Returns the current configuration with the saved `init_from`, if there is one.

    Raises:
      CheckpointError: the current one names other weights, which a resumed run would not use.
    """
    if _INIT_FROM not in saved:
        return current
    requested, original = current.get(_INIT_FROM), saved[_INIT_FROM]
    # Other hosts may keep the same weights at another path; the original one stays in checkpoints.
    moved = requested and os.path.basename(requested) == os.path.basename(original)
    if requested and not moved and jax.process_index() == 0:
        start = repr(original) if original else "random weights"
        raise CheckpointError(
            f"config.{_INIT_FROM} is {requested!r}, but the run in {workdir} started from {start} "
            "and resumes from its checkpoint; leave the setting unchanged, or give this run a "
            "--workdir of its own."
        )
    return {**current, _INIT_FROM: original}
