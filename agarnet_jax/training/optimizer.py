"""The learning rate by step, and what turns gradients into updates."""

import itertools
from collections.abc import Iterator
from typing import Any, assert_never

import jax
import numpy as np
import optax
import optax.contrib

from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.optimizer_config import OptimizerConfig, OptimizerKind, ScheduleKind


def make_schedule(config: TrainConfig) -> optax.Schedule:
    """Makes the learning rate by step: a line from 0 to its peak, then `config.schedule`."""
    peak, kind = config.learning_rate, config.schedule.kind
    final, span = peak * config.final_learning_rate_ratio, config.steps - config.warmup_steps
    match kind:
        case ScheduleKind.CONSTANT:
            after = optax.constant_schedule(peak)
        case ScheduleKind.COSINE:
            after = optax.cosine_decay_schedule(peak, span, alpha=config.final_learning_rate_ratio)
        case ScheduleKind.LINEAR:
            after = optax.linear_schedule(peak, final, span)
        case ScheduleKind.STEPS:
            milestones = (round(share * span) for share in config.schedule.milestones)
            after = optax.piecewise_constant_schedule(
                peak, dict.fromkeys(milestones, config.schedule.factor)
            )
        case ScheduleKind.STABLE_DECAY:
            decay = max(1, round(config.schedule.decay_share * span))
            after = optax.linear_schedule(peak, final, decay, transition_begin=span - decay)
        case _:
            assert_never(kind)
    if not config.warmup_steps:
        return after
    warmup = optax.linear_schedule(0.0, peak, config.warmup_steps)
    return optax.join_schedules([warmup, after], [config.warmup_steps])


def learning_rates(config: TrainConfig, start: int = 0) -> Iterator[np.float32]:
    """Yields the learning rates of the steps from `start` on, on the host, without end."""
    schedule = jax.jit(jax.vmap(make_schedule(config)))
    # Many at a time: a device that is asked finishes first what it was given.
    run = np.arange(4096)
    for first in itertools.count(start, len(run)):
        yield from np.asarray(schedule(first + run), np.float32)


def make_optimizer(
    config: TrainConfig, rate: optax.Schedule | None = None
) -> optax.GradientTransformation:
    """Makes the optimizer: it clips the global norm, then updates by `config.optimizer`'s rule.

    With `rate` in place of the schedule of `config`, states have the same form.
    """
    rule = _update_rule(rate or make_schedule(config), config.optimizer)
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), rule)


def _update_rule(rate: optax.Schedule, chosen: OptimizerConfig) -> optax.GradientTransformation:
    decay = {"weight_decay": chosen.weight_decay, "mask": decayed}
    adam = {"b1": chosen.adam.beta1, "b2": chosen.adam.beta2, "eps": chosen.adam.epsilon}
    match chosen.kind:
        case OptimizerKind.ADAM:
            return optax.adam(rate, **adam)
        case OptimizerKind.ADAMW:
            return optax.adamw(rate, **adam, **decay)
        case OptimizerKind.LION:
            return optax.lion(rate, b1=chosen.lion.beta1, b2=chosen.lion.beta2, **decay)
        case OptimizerKind.MUON:
            return _muon(rate, chosen)
        case _:
            assert_never(chosen.kind)


def _muon(rate: optax.Schedule, chosen: OptimizerConfig) -> optax.GradientTransformation:
    return optax.contrib.muon(
        rate,
        beta=chosen.muon.beta,
        eps=chosen.adam.epsilon,
        consistent_rms=chosen.muon.rms,
        weight_decay=chosen.weight_decay,
        adam_b1=chosen.adam.beta1,
        adam_b2=chosen.adam.beta2,
        muon_weight_dimension_numbers=_matrices,
    )


def _matrices(params: Any) -> Any:
    """Tells Muon each kernel as a matrix, from all taps' inputs to outputs; None for the rest."""

    def matrix(leaf: jax.Array) -> optax.contrib.MuonDimensionNumbers | None:
        if not _is_kernel(leaf):
            return None
        return optax.contrib.MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1)

    return jax.tree.map(matrix, params)


def decayed(params: Any) -> Any:
    """Tells of each parameter whether weight decay holds for it: of kernels, with two axes or more.

    Biases and the two scalars that blend the branches set levels; they are left alone.
    """
    return jax.tree.map(_is_kernel, params)


def _is_kernel(leaf: jax.Array) -> bool:
    return leaf.ndim > 1
