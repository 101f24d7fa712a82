import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from agarnet_jax.models import EstimatorConfig, QualityEstimator
from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.optimizer import make_schedule
from agarnet_jax.training.tasks import EstimationTask

CONFIG = EstimatorConfig(features=(2, 2, 2, 2))


@pytest.fixture(scope="module")
def task_and_params():
    task = EstimationTask(CONFIG)
    return task, task.init(jax.random.key(0))


def test_a_map_label_is_averaged_over_cells(task_and_params):
    task, params = task_and_params
    image = np.random.default_rng(0).random((1, 64, 128, 1), np.float32)
    label = np.full(image.shape, 30, np.float32)
    label[:, :, 64:96] = 70  # the second cell's mean is 50
    loss, _ = task.loss(params, {"degraded": jnp.asarray(image), "quality": jnp.asarray(label)})
    cells = QualityEstimator(CONFIG).apply({"params": params}, image).cells
    expected = np.abs(np.asarray(cells).ravel() - [30, 50]).mean() / 100
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_crops_without_whole_cells_are_named(task_and_params):
    task, params = task_and_params
    batch = {"degraded": jnp.zeros((1, 32, 64, 1)), "quality": jnp.ones((1, 1, 1, 1))}
    with pytest.raises(ValueError, match=r"32×64.*multiple of 64"):
        task.loss(params, batch)


def test_schedule_warms_up_and_ends_at_its_ratio():
    config = TrainConfig(steps=100, warmup_steps=10, learning_rate=0.5)
    schedule: optax.Schedule = make_schedule(config)
    assert float(schedule(0)) == 0
    assert float(schedule(5)) == pytest.approx(0.25)
    assert float(schedule(10)) == pytest.approx(0.5)
    assert float(schedule(100)) == pytest.approx(0.5 * config.final_learning_rate_ratio)


def test_impossible_settings_are_named():
    with pytest.raises(ValueError, match=r"warmup_steps \(500\).*steps \(100\)"):
        TrainConfig(steps=100)
    with pytest.raises(ValueError, match="batch_size is 0"):
        TrainConfig(batch_size=0)
