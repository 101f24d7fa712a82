"""Compares schedules with their formulas and updates with NumPy implementations."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.optimizer import learning_rates, make_optimizer, make_schedule
from agarnet_jax.training.optimizer_config import (
    AdamConfig,
    LionConfig,
    MuonConfig,
    OptimizerConfig,
    OptimizerKind,
    ScheduleConfig,
    ScheduleKind,
)

PEAK, WARMUP, STEPS, RATIO = 0.5, 10, 110, 0.2


def relative_rates(kind, steps, *, warmup=WARMUP, **options):
    config = TrainConfig(
        steps=STEPS,
        warmup_steps=warmup,
        learning_rate=PEAK,
        final_learning_rate_ratio=RATIO,
        schedule=ScheduleConfig(kind=kind, **options),
    )
    schedule = make_schedule(config)
    return [float(schedule(step)) / PEAK for step in steps]


@pytest.mark.parametrize("kind", ScheduleKind)
def test_warm_up_is_linear_to_the_peak(kind):
    assert relative_rates(kind, (0, 3, 5, 10)) == pytest.approx([0, 0.3, 0.5, 1])
    assert relative_rates(kind, (0,), warmup=0) == pytest.approx([1])


@pytest.mark.parametrize(
    ("kind", "options", "steps", "expected"),
    [
        (ScheduleKind.CONSTANT, {}, (10, 60, 110), (1, 1, 1)),
        (ScheduleKind.COSINE, {}, (60, 110), (0.6, RATIO)),
        (ScheduleKind.COSINE, {}, (35,), (RATIO + 0.8 * (1 + np.cos(np.pi / 4)) / 2,)),
        (ScheduleKind.LINEAR, {}, (35, 60, 110), (0.8, 0.6, RATIO)),
        (ScheduleKind.STEPS, {}, (59, 61, 84, 86, 110), (1, 0.1, 0.1, 0.01, 0.01)),
        (
            ScheduleKind.STEPS,
            {"milestones": (0.2,), "factor": 0.5},
            (29, 31, 110),
            (1, 0.5, 0.5),
        ),
        (ScheduleKind.STABLE_DECAY, {}, (10, 89, 100, 110), (1, 1, 0.6, RATIO)),
        (ScheduleKind.STABLE_DECAY, {"decay_share": 1.0}, (60, 110), (0.6, RATIO)),
    ],
)
def test_after_warm_up_each_schedule_follows_its_formula(kind, options, steps, expected):
    assert relative_rates(kind, steps, **options) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ScheduleKind)
def test_learning_rates_yields_the_schedule_from_any_step(kind):
    config = TrainConfig(steps=6000, warmup_steps=3, schedule=ScheduleConfig(kind=kind))
    schedule = make_schedule(config)
    for start, steps in ((0, (0, 1, 3, 20, 4095, 4096, 5999)), (2, (2, 4097, 4098))):
        found = list(itertools.islice(learning_rates(config, start), 6000 - start))
        expected = [float(schedule(step)) for step in steps]
        np.testing.assert_allclose(
            [found[step - start] for step in steps], expected, rtol=1e-6, atol=1e-9
        )


KERNEL = np.array([[1.0, -2.0], [0.5, 4.0]])
PARAMS = {"kernel": KERNEL, "bias": np.array([3.0, -1.0]), "scalar": np.array(2.0)}
GRADIENTS = [{name: np.cos(leaf + step) / 10 for name, leaf in PARAMS.items()} for step in range(3)]
RATE, DECAY = 0.01, 0.3


def as_float32(tree):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), tree)


def train(optimizer_config):
    config = TrainConfig(
        learning_rate=RATE,
        warmup_steps=0,
        clip_norm=100.0,
        schedule=ScheduleConfig(kind=ScheduleKind.CONSTANT),
        optimizer=optimizer_config,
    )
    optimizer = make_optimizer(config)
    params = as_float32(PARAMS)
    state = optimizer.init(params)
    for gradients in GRADIENTS:
        updates, state = optimizer.update(as_float32(gradients), state, params)
        params = jax.tree.map(jnp.add, params, updates)
    return params


def train_in_numpy(update, *, decay=0.0):
    """`train` in NumPy; `update(gradient, memory, number)` returns (step / rate, memory)."""
    params, memories = dict(PARAMS), dict.fromkeys(PARAMS, (0.0, 0.0))
    for number, gradients in enumerate(GRADIENTS, start=1):
        for name, gradient in gradients.items():
            step, memories[name] = update(gradient, memories[name], number)
            shrinkage = decay * params[name] if name == "kernel" else 0
            params[name] = params[name] - RATE * (step + shrinkage)
    return params


def adam(beta1, beta2, epsilon=1e-8):
    def update(gradient, memory, number):
        mean = beta1 * memory[0] + (1 - beta1) * gradient
        square = beta2 * memory[1] + (1 - beta2) * gradient**2
        root = np.sqrt(square / (1 - beta2**number))
        return mean / (1 - beta1**number) / (root + epsilon), (mean, square)

    return update


def lion(beta1, beta2):
    def update(gradient, memory, number):
        step = np.sign(beta1 * memory[0] + (1 - beta1) * gradient)
        return step, (beta2 * memory[0] + (1 - beta2) * gradient, 0.0)

    return update


def muon(beta, rms, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Nesterov momentum; that of kernels is orthogonalized by five quintic Newton-Schulz steps."""

    def orthogonalize(x):
        x = x / (np.linalg.norm(x) + epsilon)
        for _ in range(5):
            gram = x @ x.T
            x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
        return x

    def update(gradient, memory, number):
        decay = beta if gradient.ndim > 1 else beta1
        mean = decay * memory[0] + (1 - decay) * gradient
        ahead = decay * mean / (1 - decay ** (number + 1))
        ahead = ahead + (1 - decay) * gradient / (1 - decay**number)
        if gradient.ndim > 1:
            return rms * np.sqrt(max(gradient.shape)) * orthogonalize(ahead), (mean, 0.0)
        square = beta2 * memory[1] + (1 - beta2) * gradient**2
        return ahead / (np.sqrt(square / (1 - beta2**number)) + epsilon), (mean, square)

    return update


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (OptimizerConfig(), train_in_numpy(adam(0.9, 0.999))),
        (OptimizerConfig(adam=AdamConfig(0.5, 0.9, 0.1)), train_in_numpy(adam(0.5, 0.9, 0.1))),
        (
            OptimizerConfig(OptimizerKind.ADAMW, DECAY),
            train_in_numpy(adam(0.9, 0.999), decay=DECAY),
        ),
        (OptimizerConfig(OptimizerKind.LION, DECAY), train_in_numpy(lion(0.9, 0.99), decay=DECAY)),
        (
            OptimizerConfig(OptimizerKind.LION, lion=LionConfig(0.8, 0.5)),
            train_in_numpy(lion(0.8, 0.5)),
        ),
        (OptimizerConfig(OptimizerKind.MUON, DECAY), train_in_numpy(muon(0.95, 0.2), decay=DECAY)),
        (
            OptimizerConfig(
                OptimizerKind.MUON, adam=AdamConfig(0.5, 0.9, 0.1), muon=MuonConfig(0.8, 0.5)
            ),
            train_in_numpy(muon(0.8, 0.5, 0.5, 0.9, 0.1)),
        ),
    ],
    ids=["adam", "adam options", "adamw", "lion", "lion options", "muon", "muon options"],
)
def test_updates_match_numpy_and_only_kernels_are_decayed(config, expected):
    actual = train(config)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), actual, expected)


def test_muon_flattens_the_taps_and_inputs_of_a_convolution():
    config = TrainConfig(optimizer=OptimizerConfig(OptimizerKind.MUON), warmup_steps=0)
    gradient = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3, 2, 4)), jnp.float32)
    optimizer = make_optimizer(config)

    def update(gradient):
        params = {"kernel": jnp.zeros_like(gradient)}
        return optimizer.update({"kernel": gradient}, optimizer.init(params), params)[0]["kernel"]

    as_matrix = update(gradient.reshape(18, 4)).reshape(gradient.shape)
    np.testing.assert_allclose(update(gradient), as_matrix, rtol=1e-4, atol=1e-8)


def test_gradients_are_clipped_by_their_global_norm():
    norm = np.sqrt(sum(np.square(g).sum() for g in GRADIENTS[0].values()))
    clipped = jax.tree.map(lambda g: g / norm * 1e-9, GRADIENTS[0])
    config = TrainConfig(
        warmup_steps=0,
        clip_norm=1e-9,
        optimizer=OptimizerConfig(adam=AdamConfig(epsilon=1.0)),
    )
    optimizer = make_optimizer(config)
    gradients, params = as_float32(GRADIENTS[0]), as_float32(PARAMS)
    updates, _ = optimizer.update(gradients, optimizer.init(params), params)
    # With so large an epsilon, Adam's first step is the gradient times the learning rate.
    jax.tree.map(
        lambda u, g: np.testing.assert_allclose(u, -config.learning_rate * g, rtol=1e-4),
        updates,
        clipped,
    )


@pytest.mark.parametrize(
    ("make_config", "message"),
    [
        (lambda: OptimizerConfig(weight_decay=0.1), "adam has no weight decay; use kind adamw"),
        (lambda: OptimizerConfig("lion", weight_decay=-1.0), "weight_decay is -1.0; it must be 0"),
        (lambda: AdamConfig(beta2=1.0), "AdamConfig.beta2 is 1.0; it must be at least 0 and below"),
        (lambda: LionConfig(beta1=-0.1), "LionConfig.beta1 is -0.1; it must be at least 0"),
        (lambda: MuonConfig(beta=9.5), "MuonConfig.beta is 9.5; it must be at least 0 and below 1"),
        (lambda: MuonConfig(rms=-0.2), "MuonConfig.rms is -0.2; it must be above 0"),
        (lambda: AdamConfig(epsilon=-1.0), "AdamConfig.epsilon is -1.0; it must be above 0"),
        (lambda: TrainConfig(learning_rate=math.inf), "learning_rate is inf; it must be finite"),
        (lambda: ScheduleConfig(milestones=(0.5, 0.5)), "must increase between 0 and 1"),
        (lambda: ScheduleConfig(milestones=(1.0,)), "must increase between 0 and 1"),
        (lambda: ScheduleConfig(decay_share=0.0), r"decay_share is 0.0; it must be in \(0, 1\]"),
        (lambda: ScheduleConfig(kind="cosin"), "kind is 'cosin'; nearest: cosine"),
    ],
)
def test_invalid_settings_are_rejected(make_config, message):
    with pytest.raises(ValueError, match=message):
        make_config()
