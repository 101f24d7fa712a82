"""Adam with warm-up, cosine decay and gradient clipping."""

import optax

from agarnet_jax.training.config import TrainConfig


def make_schedule(config: TrainConfig) -> optax.Schedule:
    """Learning rate by step: linear to the peak, then cosine to its final ratio."""
    return optax.warmup_cosine_decay_schedule(
        init_value=0.0,
        peak_value=config.learning_rate,
        warmup_steps=config.warmup_steps,
        decay_steps=config.steps,
        end_value=config.learning_rate * config.final_learning_rate_ratio,
    )


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(config.clip_norm), optax.adam(make_schedule(config))
    )
