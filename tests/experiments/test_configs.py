"""Every configuration file loads, has the pinned size, and trains on the right shapes."""

import dataclasses
import importlib.util
import re

import jax
import jax.numpy as jnp
import ml_collections
import pytest

from agarnet_jax.configs import to_plain
from agarnet_jax.losses import LossKind
from agarnet_jax.sharding import check_batch_size
from agarnet_jax.training.joint import MapGradient
from agarnet_jax.training.warm_start import check_initial_params
from experiments import training_run
from experiments.config import default_config, from_config_dict

PARAMETERS = {
    "paper": 9_655_940,
    "tiny": 382_653,
    "tiny_continued": 382_653,
    "tiny_large_crops": 382_653,
    "tiny_muon": 382_653,
    "tiny_graphics": 382_653,
    "small": 1_493_109,
    "small_large_crops": 1_493_109,
    "small_graphics": 1_493_109,
    "smoke": 30_952,
    "estimator": 143_425,
    "estimator_muon": 143_425,
    "joint": 382_653 + 143_425,
}


def load(repository, name):
    path = repository / "experiments" / "configs" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


@pytest.fixture(params=sorted(PARAMETERS))
def config(request, repository):
    return request.param, load(repository, request.param)


def test_every_configuration_file_is_tested(repository):
    files = {path.stem for path in (repository / "experiments" / "configs").glob("*.py")}
    assert files - {"__init__"} == set(PARAMETERS)


def test_parameter_count_and_shapes(config):
    name, config_dict = config
    experiment = from_config_dict(config_dict)
    task = experiment.make_task()
    params = jax.eval_shape(task.init, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == PARAMETERS[name]

    side, size = experiment.data.crop, experiment.train.batch_size
    image = jax.ShapeDtypeStruct((size, side, side, 1), jnp.float32)
    quality = jax.ShapeDtypeStruct((size, 1, 1, 1), jnp.float32)
    tables = jax.ShapeDtypeStruct((size, 1, 1, 64), jnp.float32)
    batch = {"degraded": image, "clean": image, "quality": quality, "tables": tables}
    output = jax.eval_shape(task.apply, params, batch)
    loss, _ = jax.eval_shape(task.loss, output, batch)
    assert loss.shape == ()


def test_plain_values_convert_back_to_the_same_experiment(config):
    _, config_dict = config
    experiment = from_config_dict(config_dict)
    again = from_config_dict(ml_collections.ConfigDict(to_plain(experiment)))
    assert again == experiment


def test_hosts_may_keep_images_and_weights_in_different_folders(config):
    _, plain = config
    experiment = from_config_dict(plain)
    here = training_run._settings(experiment)
    data = dataclasses.replace(
        experiment.data, train_dir="/elsewhere", eval_dir="/there", workers=7, cache_gib=0.5
    )
    moved = dataclasses.replace(experiment, data=data, init_from="a.safetensors")
    assert training_run._settings(moved) == here
    slower = dataclasses.replace(experiment.train, learning_rate=1e-9)
    changed = training_run._settings(dataclasses.replace(experiment, train=slower))
    assert {name for name in here if changed[name] != here[name]} == {"config.train.learning_rate"}


def test_every_configuration_file_states_its_command_and_result(repository):
    for name in PARAMETERS:
        text = (repository / "experiments" / "configs" / f"{name}.py").read_text()
        assert "python -m experiments.train --config=experiments/configs/" in text
        assert "Result:" in text, name


def test_unknown_keys_and_tasks_raise():
    with pytest.raises(AttributeError, match="lerning_rate"):
        default_config("restorer").train.lerning_rate = 1.0
    config = default_config("restorer")
    config.task = "colorizer"
    with pytest.raises(ValueError, match=r"'colorizer'; choose one of: restorer, estimator, joint"):
        from_config_dict(config)
    config = default_config("restorer").unlock()
    config.train.lerning_rate = 1.0
    with pytest.raises(ValueError, match=r"config\.train\.lerning_rate; nearest: learning_rate"):
        from_config_dict(config)
    config = default_config("restorer").unlock()
    config.sede = 1
    with pytest.raises(ValueError, match=r"There is no config\.sede"):
        from_config_dict(config)


@pytest.mark.parametrize(
    ("task", "key", "value", "message"),
    [
        ("restorer", "data.eval_qualities", (10, 2.5), r"config.data.eval_qualities[1] is 2.5; it"),
        ("restorer", "model.conv2d", "nativ", "config.model.conv2d is 'nativ'; nearest: native"),
        ("joint", "model.estimator.cells", "x", "config.model.estimator.cells is 'x'; choose one"),
        ("restorer", "train.schedule.kind", "cosin", "config.train.schedule.kind is 'cosin'; near"),
        ("restorer", "data.degradation.encoder.quality.grid", ("a",), "quality.grid[0] is 'a'; it"),
        ("estimator", "data.crop", 32, "config.data.crop is 32 from step 0 on; the estimator"),
        ("joint", "data.crop_schedule", ((5, 96),), "config.data.crop is 96 from step 5 on"),
        ("restorer", "data.crop_schedule", ((5, 96, 3),), "batch size is 3 from step 5 on"),
        ("restorer", "train.batch_size", 15, "batch size is 15 from step 0 on; use a multiple of"),
        ("restorer", "train.init_fit", "grown", "init_fit is grown, but config.init_from is empty"),
        ("joint", "data.planes.cb", 0.5, "config.data.planes has cb or cr, but joint training"),
        ("restorer", "data.degradation.encoder.quality.grid", (10,), "grid_share 0.0; set both"),
    ],
)
def test_invalid_values_raise_a_one_line_error(task, key, value, message):
    config = default_config(task)
    config.train.accumulation = 2
    config.train.batch_size = 16
    *groups, name = key.split(".")
    group = config
    for part in groups:
        group = group[part]
    group[name] = value
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        from_config_dict(config)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("task", ["estimator", "joint"])
def test_released_cells_need_held_out_images_of_at_least_one_cell(task):
    config = default_config(task)
    config.data.eval_crop = 32
    from_config_dict(config)  # other cells are padded
    (config.model.estimator if task == "joint" else config.model).cells = "released"
    with pytest.raises(ValueError, match=r"config\.data\.eval_crop is 32, but released cells"):
        from_config_dict(config)


def test_every_training_setting_reaches_the_task():
    config = default_config("joint")
    config.train.loss.kind = "charbonnier"
    config.train.dct_loss_weight = 0.7
    config.train.joint.map_gradient = "stopped"
    config.model.estimator.features = (1, 2, 3, 4)
    config.data.crop_schedule = ((5, 128, 2),)
    experiment = from_config_dict(config)
    task = experiment.make_task()
    assert task.restoration.loss_config.kind is LossKind.CHARBONNIER
    assert task.restoration.dct_loss_weight == 0.7
    assert task.options.map_gradient is MapGradient.STOPPED
    assert task.estimation.config.features == (1, 2, 3, 4)
    assert experiment.batch_size_gcd == 2


def test_the_paper_configuration_fits_the_tpu_slice_of_the_guide(repository):
    experiment = from_config_dict(load(repository, "paper"))
    slice_of_32 = jax.sharding.AbstractMesh((32, 1), ("data", "fsdp"))
    check_batch_size("data.eval_batch_size", experiment.data.eval_batch_size, slice_of_32)
    check_batch_size("train.batch_size", experiment.train.batch_size, slice_of_32)


def test_the_evaluation_batch_size_counts_only_with_held_out_images():
    config = default_config("restorer")
    config.train.batch_size, config.data.eval_batch_size = 32, 8
    assert from_config_dict(config).batch_size_gcd == 32
    config.data.eval_dir = "somewhere"
    assert from_config_dict(config).batch_size_gcd == 8


@pytest.mark.parametrize("task", ["restorer", "estimator", "joint"])
def test_shipped_weights_initialize_each_task(task, repository):
    models = {"restorer": "tiny", "estimator": "estimator", "joint": "joint"}
    experiment = from_config_dict(load(repository, models[task]))
    experiment = dataclasses.replace(experiment, init_from="tiny")
    expected = jax.eval_shape(experiment.make_task().init, jax.random.key(0))
    check_initial_params(experiment.initial_params(), expected)
    assert dataclasses.replace(experiment, init_from="").initial_params() is None
