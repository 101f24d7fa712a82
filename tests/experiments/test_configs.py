"""Every configuration file: it loads, its size is pinned, its step has the right shapes."""

import importlib.util

import jax
import jax.numpy as jnp
import ml_collections
import pytest

from agarnet_jax.configs import to_plain
from experiments.config import default_config, from_config_dict

PARAMETERS = {"paper": 9_655_940, "tiny": 250_884, "smoke": 30_952, "estimator": 143_425}


def load(repository, name):
    path = repository / "experiments" / "configs" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


@pytest.fixture(params=sorted(PARAMETERS))
def config(request, repository):
    return request.param, load(repository, request.param)


def test_every_file_is_tested(repository):
    files = {path.stem for path in (repository / "experiments" / "configs").glob("*.py")}
    assert files - {"__init__"} == set(PARAMETERS)


def test_size_and_shapes(config):
    name, config_dict = config
    experiment = from_config_dict(config_dict)
    task = experiment.make_task()
    params = jax.eval_shape(task.init, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == PARAMETERS[name]

    side, size = experiment.data.crop, experiment.train.batch_size
    image = jax.ShapeDtypeStruct((size, side, side, 1), jnp.float32)
    quality = jax.ShapeDtypeStruct((size, 1, 1, 1), jnp.float32)
    batch = {"degraded": image, "clean": image, "quality": quality}
    loss, _ = jax.eval_shape(task.loss, params, batch)
    assert loss.shape == ()


def test_plain_form_is_what_the_dataclasses_take_back(config):
    _, config_dict = config
    experiment = from_config_dict(config_dict)
    again = from_config_dict(ml_collections.ConfigDict(to_plain(experiment)))
    assert again == experiment


def test_every_file_states_its_claim(repository):
    for name in PARAMETERS:
        text = (repository / "experiments" / "configs" / f"{name}.py").read_text()
        assert "python -m experiments.train --config=experiments/configs/" in text
        assert "Result:" in text, name


def test_unknown_keys_and_tasks_raise():
    with pytest.raises(AttributeError, match="lerning_rate"):
        default_config("restorer").train.lerning_rate = 1.0
    config = default_config("restorer")
    config.task = "colorizer"
    with pytest.raises(ValueError, match=r"'colorizer'.*restorer, estimator"):
        from_config_dict(config)
    config = default_config("restorer").unlock()
    config.train.lerning_rate = 1.0
    with pytest.raises(TypeError, match="lerning_rate"):
        from_config_dict(config)
