"""The compiled step on meshes of different shapes: one program, one loss curve.

Tolerances: float32 sums run in another order on other meshes (relative 1e-6), and Adam's first
steps, near the sign of a gradient, turn that into 1e-4 of a loss within a few steps. Broken
gradients show as a few per cent.
"""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
import jax
settings = json.loads(sys.argv[1])
jax.config.update("jax_num_cpu_devices", settings["devices"])
import numpy as np
from agarnet_jax import runtime, sharding
from agarnet_jax.models import EstimatorConfig
from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.optimizer import make_optimizer
from agarnet_jax.training.state import TrainState
from agarnet_jax.training.step import make_eval_step, make_train_step, state_shardings
from agarnet_jax.training.tasks import EstimationTask

runtime.use_compilation_cache()
# The estimator compiles fast, and its widest kernels are large enough to be split.
task = EstimationTask(EstimatorConfig(features=(4, 4, 16, 16)))
config = TrainConfig(ema_decay=0.9, accumulation=settings["accumulation"])
mesh = sharding.make_mesh(fsdp=settings["fsdp"])
at = state_shardings(task, config, mesh)
rng = np.random.default_rng(0)
params = jax.tree.map(
    lambda leaf: 0.2 * rng.standard_normal(leaf.shape, np.float32),
    jax.eval_shape(task.init, jax.random.key(0)),
)
state = jax.device_put(TrainState.create(params, make_optimizer(config)), at)

def batch(number):
    rng = np.random.default_rng(number)
    degraded = rng.integers(0, 256, (16, 64, 64, 1), np.uint8)
    quality = np.linspace(5, 95, 16, dtype=np.float32).reshape(16, 1, 1, 1)
    host = {"degraded": degraded, "quality": quality, "weight": np.ones(16, np.float32)}
    return sharding.global_batch(host, mesh)

rate = sharding.replicate(np.float32(config.learning_rate), mesh)
step = make_train_step(task, config, mesh).lower(state, batch(0), rate).compile()
found = {"losses": [], "norms": []}
for number in range(4):
    before = state
    state, metrics = step(state, batch(number), rate)
    found["losses"].append(float(metrics["loss"]))
    found["norms"].append(float(metrics["gradient_norm"]))
found["donated"] = all(leaf.is_deleted() for leaf in jax.tree.leaves(before))
found["in place"] = jax.tree.all(
    jax.tree.map(lambda leaf, where: leaf.sharding.is_equivalent_to(where, leaf.ndim), state, at)
)
evaluated = make_eval_step(task, mesh)(state.ema_params, batch(9))
found["evaluated"] = float(evaluated["absolute_error"])
here = [leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(state)]
found["share"] = sum(here) / sum(leaf.nbytes for leaf in jax.tree.leaves(state))
moves = ("all-gather", "all-to-all", "collective-permute")
found["moves"] = [move for move in moves if move in step.as_text()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def steps():
    """Four steps on so many devices, in a process of its own; each case runs once."""
    known = {}

    def run(*, devices, fsdp=1, accumulation=1):
        settings = json.dumps({"devices": devices, "fsdp": fsdp, "accumulation": accumulation})
        if settings not in known:
            clean = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
            result = subprocess.run(
                [sys.executable, "-c", PROGRAM, settings], env=clean, capture_output=True, text=True
            )
            assert result.returncode == 0, result.stderr
            known[settings] = json.loads(result.stdout.splitlines()[-1])
        return known[settings]

    return run


def assert_same_curve(found, expected):
    assert found["losses"] == pytest.approx(expected["losses"], rel=1e-3)
    assert found["norms"][0] == pytest.approx(expected["norms"][0], rel=1e-4)
    assert found["evaluated"] == pytest.approx(expected["evaluated"], rel=1e-3)


CASES = {
    "8 devices": {"devices": 8},
    "8 devices, fsdp 4": {"devices": 8, "fsdp": 4},
    "accumulation 2": {"devices": 1, "accumulation": 2},
    "8 devices, fsdp 4, accumulation 2": {"devices": 8, "fsdp": 4, "accumulation": 2},
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_loss_curve_is_that_of_one_device(steps, case):
    assert_same_curve(steps(**CASES[case]), steps(devices=1))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_state_is_donated_and_stays_in_place(steps, case):
    """So that the next step needs no other program."""
    found = steps(**CASES[case])
    assert found["donated"]
    assert found["in place"]


@pytest.mark.slow
def test_fsdp_splits_most_of_the_state(steps):
    assert steps(**CASES["8 devices"])["share"] == 1
    assert steps(**CASES["8 devices, fsdp 4"])["share"] < 0.5  # a quarter but for small leaves


@pytest.mark.slow
def test_without_fsdp_only_sums_cross_devices(steps):
    """Microbatches among them: each device's images stay where they are."""
    assert steps(**CASES["8 devices"])["moves"] == []
    assert steps(devices=8, accumulation=2)["moves"] == []
