"""The compiled step on meshes of different shapes: all give the same loss curve.

Tolerances: the order of float32 sums depends on the mesh (relative 1e-6), and Adam's first steps,
close to the sign of the gradient, amplify that to 1e-4 of the loss within a few steps. Wrong
gradients change it by a few per cent.
"""

import json
import subprocess
import sys

import pytest

from agarnet_jax import sharding
from agarnet_jax.training.step import compiler_options

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
# The estimator compiles fast, and its widest kernels are large enough to be sharded.
task = EstimationTask(EstimatorConfig(features=(4, 4, 16, 16)))
config = TrainConfig(ema_decay=0.9, accumulation=settings["accumulation"])
mesh = sharding.make_mesh(fsdp=settings["fsdp"])
shardings = state_shardings(task, config, mesh)
rng = np.random.default_rng(0)
params = jax.tree.map(
    lambda leaf: 0.2 * rng.standard_normal(leaf.shape, np.float32),
    jax.eval_shape(task.init, jax.random.key(0)),
)
state = jax.device_put(TrainState.create(params, make_optimizer(config)), shardings)

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
found["shardings kept"] = jax.tree.all(
    jax.tree.map(
        lambda leaf, sharding: leaf.sharding.is_equivalent_to(sharding, leaf.ndim), state, shardings
    )
)
evaluated = make_eval_step(task, mesh)(state.ema_params, batch(9))
found["evaluated"] = float(evaluated["absolute_error"])
shards = [leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(state)]
found["fraction per device"] = sum(shards) / sum(leaf.nbytes for leaf in jax.tree.leaves(state))
transfers = ("all-gather", "all-to-all", "collective-permute")
found["transfers"] = [name for name in transfers if name in step.as_text()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def steps():
    """Runs four steps on a number of devices in a separate process; each case runs once."""
    results = {}

    def run(*, devices, fsdp=1, accumulation=1):
        settings = json.dumps({"devices": devices, "fsdp": fsdp, "accumulation": accumulation})
        if settings not in results:
            result = subprocess.run(
                [sys.executable, "-c", PROGRAM, settings], capture_output=True, text=True
            )
            assert result.returncode == 0, result.stderr
            results[settings] = json.loads(result.stdout.splitlines()[-1])
        return results[settings]

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
def test_the_loss_curve_matches_that_of_one_device(steps, case):
    assert_same_curve(steps(**CASES[case]), steps(devices=1))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_state_is_donated_and_keeps_its_shardings(steps, case):
    """So the next step reuses the compiled program."""
    found = steps(**CASES[case])
    assert found["donated"]
    assert found["shardings kept"]


@pytest.mark.slow
def test_fsdp_shards_most_of_the_state(steps):
    assert steps(**CASES["8 devices"])["fraction per device"] == 1
    fraction = steps(**CASES["8 devices, fsdp 4"])["fraction per device"]
    assert fraction < 0.5  # a quarter, except for small leaves


@pytest.mark.slow
def test_without_fsdp_devices_exchange_only_sums(steps):
    """Even with microbatches: images are not moved between devices."""
    assert steps(**CASES["8 devices"])["transfers"] == []
    assert steps(devices=8, accumulation=2)["transfers"] == []


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ("", {"xla_backend_optimization_level": 1}),
        ("--xla_backend_optimization_level=2", None),
    ],
)
def test_a_level_in_xla_flags_has_precedence(monkeypatch, flags, options):
    monkeypatch.setenv("XLA_FLAGS", flags)
    assert compiler_options(sharding.make_mesh()) == options
