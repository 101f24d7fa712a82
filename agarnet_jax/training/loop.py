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
Case = tuple[str, HostBatch]  # a held-out batch, with the name of its case

_INIT_FROM = "init_from"  # the setting that names where a run without a checkpoint starts


def train(
    task: Task,
    *,
    config: TrainConfig,
    batches_from: Callable[[int], Iterator[HostBatch]],
    eval_batches: Callable[[], Iterable[Case]] | None,
    workdir: str,
    resolved_config: Mapping[str, Any],
    initial_params: Any = None,
    stop_at: int | None = None,
    on_evaluation: Callable[[int, float], None] | None = None,
    before_leaving: Callable[[], None] | None = None,
    profile_steps: tuple[int, int] | None = None,
) -> TrainState:
    """Trains up to `config.steps`, continuing from the latest checkpoint in `workdir` if any.

    Args:
      task: model and loss.
      config: the loop's settings.
      batches_from: this process's share of the training batches from a batch number on.
      eval_batches: this process's share of the held-out batches, each with its case; None for
        no evaluation.
      workdir: receives `checkpoints/`, `metrics.jsonl` and TensorBoard events.
      resolved_config: saved with every checkpoint; in a run that continues, with the `init_from`
        that it began with. What has changed in it is said, and of `observers.IMAGES` in words.
      initial_params: where a run without a checkpoint starts; None: at random.
      stop_at: step at which to save and leave early, with schedules still those of `config.steps`.
      on_evaluation: receives (step, score) after each evaluation, before that step is saved, so a
        run that is killed in between evaluates and reports it again. It may raise to end the run.
      before_leaving: called where a signal ends the process at once, without saving: before the
        first step, or when it came twice.
      profile_steps: first and last step, counted from 1, of a profile below `workdir/profile`, of
        several processes below `workdir/profile/process{index}`.

    Returns:
      The state after the last step.

    Raises:
      Interrupted: a signal asked to leave; the state was saved, and the same call continues.
      FloatingPointError: `config.max_non_finite` updates in a row were skipped.
      CheckpointError: there are checkpoints, but none of this model that can be read, or they began
        with another `init_from` than `resolved_config` asks for.
      MisfitError: the initial parameters do not fit.
      ValueError: the batch cannot be shared.
    """
    mesh = make_mesh(fsdp=config.fsdp)
    check_batch_size("train.batch_size", config.batch_size, mesh, accumulation=config.accumulation)
    train_step, eval_step = make_train_step(task, config, mesh), make_eval_step(task, mesh)
    last = config.steps if stop_at is None else min(stop_at, config.steps)

    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(StopSignals(before_leaving))
        checkpoints = stack.enter_context(contextlib.closing(_checkpoints(workdir, config)))
        restored = checkpoints.restore_latest(abstract_state(task, config, mesh), resolved_config)
        state, start = restored or (initial_state(task, config, mesh, initial_params), 0)
        begun = checkpoints.config(start) if start else {}
        resolved_config = _with_its_beginning(resolved_config, begun, workdir)
        observers = Observers(
            task,
            config=config,
            mesh=mesh,
            workdir=workdir,
            start=start,
            last=last,
            profile=profile_steps,
        )
        stack.callback(observers.close)
        if start:
            observers.continued(begun, resolved_config)
        batches, rates = batches_from(start), learning_rates(config, start)

        def should_stop() -> bool:
            observers.evaluating()
            return stop.requested(agree=True)

        def held_out_score(step: int, params: Any, held_out: Iterable[Case]) -> float | None:
            """Evaluates and reports; None if a signal ended it."""
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
            score = observers.evaluated(step, means)
            if on_evaluation is not None:
                on_evaluation(step, score)
            return score

        def next_state(step: int, state: TrainState) -> TrainState:
            """Takes the step from `step` to the next and reports it."""
            asked = time.monotonic()
            host_batch = next(batches)
            waited = time.monotonic() - asked
            batch, rate = global_batch(host_batch, mesh), replicate(next(rates), mesh)
            observers.before_step(step, state)
            # Whatever else came from the host would come anew in every step.
            with jax.transfer_guard_host_to_device("disallow"):
                state, metrics = train_step(state, batch, rate)
            stop.something_to_save = True
            observers.after_step(step, host_batch, metrics, waited=waited)
            if (step + 1) % config.log_every == 0 or step + 1 == last:
                observers.log(step + 1, metrics, learning_rate=float(rate))
            return state

        for step in range(start, last + 1):
            finished, score = step == last, None
            leaving = stop.requested(agree=finished or step % config.agree_every == 0)
            due = step > 0 and (step == config.steps or step % config.eval_every == 0)
            if eval_batches and due and not leaving and not checkpoints.is_scored(step):
                score = held_out_score(step, state.ema_params, eval_batches())
                leaving = score is None
            save = finished or leaving or score is not None or step % config.checkpoint_every == 0
            if step > 0 and save:
                checkpoints.save(step, state, config=resolved_config, score=score)
            if leaving:
                observers.leaving(step)
                raise Interrupted(stop.number)
            if finished:
                observers.finished(checkpoints.best_score())
            else:
                state = next_state(step, state)
    return state


def _with_its_beginning(
    now: Mapping[str, Any], begun: Mapping[str, Any], workdir: str
) -> Mapping[str, Any]:
    """Returns the configuration with the `init_from` that the run was begun with, if it was.

    Raises:
      CheckpointError: it names other weights, which a checkpoint has no use for.
    """
    if _INIT_FROM not in begun:
        return now
    asked, first = now.get(_INIT_FROM), begun[_INIT_FROM]
    # Other hosts may have the same weights in another place; it is saved as the first has it.
    moved = asked and os.path.basename(asked) == os.path.basename(first)
    if asked and not moved and jax.process_index() == 0:
        beginning = repr(first) if first else "random weights"
        raise CheckpointError(
            f"config.{_INIT_FROM} is {asked!r}, but the run in {workdir} began with {beginning} "
            "and continues from its checkpoint; leave that as it was, or give this run a "
            "--workdir of its own."
        )
    return {**now, _INIT_FROM: first}


def _checkpoints(workdir: str, config: TrainConfig) -> Checkpoints:
    return Checkpoints(
        f"{workdir}/checkpoints",
        keep=config.checkpoints_kept,
        keep_period=config.checkpoint_keep_period,
    )
