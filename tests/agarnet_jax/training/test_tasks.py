import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax.jpeg_tables import network_tables_by_quality
from agarnet_jax.losses import LossConfig, l1
from agarnet_jax.models import (
    AGARNet,
    AGARNetConfig,
    AGARNetOutput,
    EstimatorConfig,
    QualityEstimator,
)
from agarnet_jax.training.tasks import EstimationTask, RestorationTask

CONFIG = EstimatorConfig(features=(2, 2, 2, 2))


@pytest.fixture(scope="module")
def task_and_params():
    task = EstimationTask(CONFIG)
    return task, task.init(jax.random.key(0))


def test_a_pixelwise_label_is_averaged_over_cells(task_and_params):
    task, params = task_and_params
    image = np.random.default_rng(0).random((1, 64, 128, 1), np.float32)
    label = np.full(image.shape, 30, np.float32)
    label[:, :, 64:96] = 70  # the second cell's mean is 50
    batch = {"degraded": jnp.asarray(image), "quality": jnp.asarray(label)}
    loss, _ = task.loss(task.apply(params, batch), batch)
    cells = QualityEstimator(CONFIG).apply({"params": params}, image).cells
    expected = np.abs(np.asarray(cells).ravel() - [30, 50]).mean() / 100
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_crops_that_are_not_whole_cells_are_rejected(task_and_params):
    task, params = task_and_params
    batch = {"degraded": jnp.zeros((1, 32, 64, 1)), "quality": jnp.ones((1, 1, 1, 1))}
    with pytest.raises(ValueError, match=r"32×64.*multiple of 64"):
        task.loss(task.apply(params, batch), batch)


FIELDS = dataclasses.fields(AGARNetConfig)


def test_psnr_of_images_unchanged_by_jpeg_is_capped():
    task = RestorationTask(AGARNetConfig(), dct_loss_weight=0.0)
    flat = jnp.full((2, 8, 8, 1), 0.5).at[1, 0, 0].set(0.6)  # the second image is not flat
    out = AGARNetOutput(restored=jnp.full(flat.shape, 0.5), dct_restored=flat)
    metrics = task.metrics(out, {"degraded": flat.at[:].set(0.5), "clean": flat})
    assert metrics["psnr_gain"].tolist() == [0, 0]
    assert metrics["psnr"][0] == 110 > metrics["psnr"][1]


def test_restoration_is_conditioned_on_the_tables_of_the_batch():
    config = AGARNetConfig(
        **dict.fromkeys(("pixel_features", "dct_features", "gate_features"), 4)
        | {f.name: int("dct" in f.name) for f in FIELDS if f.name.endswith("blocks")}
    )
    task = RestorationTask(config, dct_loss_weight=1.0)
    params = task.init(jax.random.key(0))
    image = jnp.asarray(np.random.default_rng(0).random((1, 8, 8, 1), np.float32))
    batch = {"degraded": image, "clean": 1 - image, "quality": jnp.full((1, 1, 1, 1), 30.0)}

    def output_and_loss(table):
        with_table = batch | {"tables": table[None, None, None]}
        output = task.apply(params, with_table)
        return output.dct_restored, float(task.loss(output, with_table)[0])

    by_quality = network_tables_by_quality(config.table_scaling)
    (given, loss), (other, _) = (output_and_loss(by_quality[quality]) for quality in (30, 80))
    assert (given != other).any()
    derived = AGARNet(config).apply({"params": params}, image, quality=30.0)
    expected = l1(derived.restored, 1 - image) + l1(derived.dct_restored, 1 - image)
    assert loss == pytest.approx(float(expected), rel=1e-6)

    loss_config = LossConfig(kind="mse", frequency_weight=0.5)
    batch |= {"tables": by_quality[None, None, 30:31]}
    total, terms = dataclasses.replace(task, loss_config=loss_config).loss(
        task.apply(params, batch), batch
    )
    outputs = (derived.restored, derived.dct_restored)
    restored, dct = (np.square(np.asarray(out) - np.asarray(1 - image)).mean() for out in outputs)
    assert float(terms["mse"]) == pytest.approx(restored, rel=1e-5)
    assert float(terms["dct_mse"]) == pytest.approx(dct, rel=1e-5)
    expected = restored + dct + 0.5 * float(terms["frequency_l1"])
    assert float(total) == pytest.approx(expected, rel=1e-5)
