"""Learning-rate schedules and optimizers."""

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
    """Returns the learning-rate schedule: linear warm-up from 0, then `config.schedule`."""
    peak, kind = config.learning_rate, config.schedule.kind
    final, span = peak * config.final_learning_rate_ratio, config.steps - config.warmup_steps
    match kind:
        case ScheduleKind.CONSTANT:
            main = optax.constant_schedule(peak)
        case ScheduleKind.COSINE:
            main = optax.cosine_decay_schedule(peak, span, alpha=config.final_learning_rate_ratio)
        case ScheduleKind.LINEAR:
            main = optax.linear_schedule(peak, final, span)
        case ScheduleKind.STEPS:
            milestones = (round(fraction * span) for fraction in config.schedule.milestones)
            main = optax.piecewise_constant_schedule(
                peak, dict.fromkeys(milestones, config.schedule.factor)
            )
        case ScheduleKind.STABLE_DECAY:
            decay = max(1, round(config.schedule.decay_share * span))
            main = optax.linear_schedule(peak, final, decay, transition_begin=span - decay)
        case _:
            assert_never(kind)
    if not config.warmup_steps:
        return main
    warmup = optax.linear_schedule(0.0, peak, config.warmup_steps)
    return optax.join_schedules([warmup, main], [config.warmup_steps])


def learning_rates(config: TrainConfig, start: int = 0) -> Iterator[np.float32]:
    """Yields the learning rates of all steps from `start` on as host values, endlessly."""
    schedule = jax.jit(jax.vmap(make_schedule(config)))
    # Computed in chunks: fetching a value waits for all work queued on the device before it.
    chunk = np.arange(4096)
    for first in itertools.count(start, len(chunk)):
        yield from np.asarray(schedule(first + chunk), np.float32)


def make_optimizer(
    config: TrainConfig, schedule: optax.Schedule | None = None
) -> optax.GradientTransformation:
    """Returns the optimizer: gradient clipping by global norm, then the update rule.

    `schedule` replaces that of `config`; the optimizer state has the same structure with any.
    """
    rule = _update_rule(schedule or make_schedule(config), config.optimizer)
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), rule)


def _update_rule(schedule: optax.Schedule, config: OptimizerConfig) -> optax.GradientTransformation:
    decay = {"weight_decay": config.weight_decay, "mask": weight_decay_mask}
    adam = {"b1": config.adam.beta1, "b2": config.adam.beta2, "eps": config.adam.epsilon}
    match config.kind:
        case OptimizerKind.ADAM:
            return optax.adam(schedule, **adam)
        case OptimizerKind.ADAMW:
            return optax.adamw(schedule, **adam, **decay)
        case OptimizerKind.LION:
            return optax.lion(schedule, b1=config.lion.beta1, b2=config.lion.beta2, **decay)
        case OptimizerKind.MUON:
            return _muon(schedule, config)
        case _:
            assert_never(config.kind)


def _muon(schedule: optax.Schedule, config: OptimizerConfig) -> optax.GradientTransformation:
    return optax.contrib.muon(
        schedule,
        beta=config.muon.beta,
        eps=config.adam.epsilon,
        consistent_rms=config.muon.rms,
        weight_decay=config.weight_decay,
        adam_b1=config.adam.beta1,
        adam_b2=config.adam.beta2,
        muon_weight_dimension_numbers=_muon_dimension_numbers,
    )


def _muon_dimension_numbers(params: Any) -> Any:
    """Makes Muon treat kernels as matrices (taps and inputs) × outputs; None for other leaves."""

    def as_matrix(leaf: jax.Array) -> optax.contrib.MuonDimensionNumbers | None:
        if not _is_kernel(leaf):
            return None
        return optax.contrib.MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1)

    return jax.tree.map(as_matrix, params)


def weight_decay_mask(params: Any) -> Any:
    """Returns True for the parameters that weight decay applies to: kernels, of two axes or more.

    Biases and the two scalars that blend the branches set levels and are not decayed.
    """
    return jax.tree.map(_is_kernel, params)


def _is_kernel(leaf: jax.Array) -> bool:
    return leaf.ndim > 1
