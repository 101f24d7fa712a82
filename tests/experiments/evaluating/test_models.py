import contextlib
import hashlib
import pathlib

import jax
import numpy as np
import pytest

from agarnet_jax.checkpoint import Checkpoints
from agarnet_jax.configs import to_plain
from agarnet_jax.models import CellPlacement
from agarnet_jax.training.joint import JointConfig
from experiments.evaluating import models
from experiments.evaluating.suites import Variant

PLACED = CellPlacement.PLACED


@pytest.fixture
def workdir(small_weights, tmp_path):
    """Returns a function from a task to the working folder of a run with one checkpoint."""
    configs = {
        "restorer": (small_weights.restorer_config, small_weights.restorer_params),
        "estimator": (small_weights.estimator_config, small_weights.estimator_params),
    }
    configs["joint"] = (
        JointConfig(restorer=configs["restorer"][0], estimator=configs["estimator"][0]),
        {name: params for name, (_, params) in configs.items()},
    )

    def workdir(task):
        model, params = configs[task]
        path = tmp_path / task
        with contextlib.closing(Checkpoints(path / "checkpoints")) as checkpoints:
            state = {"ema_params": jax.device_put(params)}
            config = {"task": task, "model": to_plain(model)}
            checkpoints.save(7, state, config=config, score=1.0)
        return str(path)

    return workdir


def test_a_weights_file_is_loaded_with_its_hash(small_file, small_weights):
    model = models.load("AGARNet", small_file, cells=CellPlacement.RELEASED)
    assert model.sha256 == hashlib.sha256(pathlib.Path(small_file).read_bytes()).hexdigest()
    assert model.weights.estimator_config.cells is CellPlacement.RELEASED
    assert model.usable(tuple(Variant)) == tuple(Variant)
    jax.tree.map(
        np.testing.assert_array_equal, model.weights.restorer_params, small_weights.restorer_params
    )


@pytest.mark.parametrize(
    ("task", "usable"),
    [("restorer", (Variant.TRUE,)), ("estimator", (Variant.IMAGE,)), ("joint", tuple(Variant))],
)
def test_a_training_run_provides_the_networks_it_trained(workdir, small_weights, task, usable):
    model = models.load("AGARNet", workdir(task), cells=PLACED)
    assert model.usable(tuple(Variant)) == usable
    assert model.source.endswith(f"{task}, step 7")
    for part in ("restorer", "estimator"):
        if part in (task, *(("restorer", "estimator") if task == "joint" else ())):
            jax.tree.map(
                np.testing.assert_array_equal,
                getattr(model.weights, f"{part}_params"),
                getattr(small_weights, f"{part}_params"),
            )


def test_a_path_without_weights_raises_an_error(tmp_path):
    with pytest.raises(ValueError, match="has no checkpoint; give the --workdir"):
        models.load("AGARNet", str(tmp_path), cells=PLACED)
    with pytest.raises(ValueError, match="neither a file nor a shipped name"):
        models.load("AGARNet", "huge", cells=PLACED)
