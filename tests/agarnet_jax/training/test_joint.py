"""Compares joint training with the two networks run separately, and with blind restoration."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax import weights
from agarnet_jax.models import AGARNet, AGARNetConfig, EstimatorConfig, QualityEstimator
from agarnet_jax.restoration import QualitySource, Restorer
from agarnet_jax.training.joint import JointConfig, JointOptions, JointTask, MapGradient
from agarnet_jax.training.tasks import EstimationTask, RestorationTask

WIDTHS = dict.fromkeys(("pixel_features", "dct_features", "gate_features"), 2)
BLOCKS = {f.name: 0 for f in dataclasses.fields(AGARNetConfig) if f.name.endswith("blocks")}
BLOCKS |= {"dct_blocks": 1, "encoder4_blocks": 1}
FAST_TO_COMPILE = {"conv2d": "native"}
CONFIG = JointConfig(
    AGARNetConfig(**WIDTHS, **BLOCKS, **FAST_TO_COMPILE, conv3d="native"),
    EstimatorConfig((2, 2, 2, 2), **FAST_TO_COMPILE),
)
WEIGHT = 0.3


def make_task(gradient=MapGradient.GATES):
    return JointTask(
        RestorationTask(CONFIG.restorer, 0.5),
        EstimationTask(CONFIG.estimator),
        JointOptions(WEIGHT, gradient),
    )


@pytest.fixture(scope="module")
def params():
    """Random parameters of the right shapes, without compiling an initialization."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(make_task().init, jax.random.key(0))
    params = jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(0, 0.3, leaf.shape), leaf.dtype), shapes
    )
    params["estimator"]["out"]["bias"] = jnp.array([0.5])  # keeps estimates within 1–100
    return params


@pytest.fixture(scope="module")
def batch(gray_photo):
    """An image of two cells, with a quality and tables that differ from the estimated ones."""
    clean = jnp.asarray(gray_photo[None, :64, :128, None] / 255, jnp.float32)
    noise = np.random.default_rng(0).normal(0, 0.03, clean.shape)
    return {
        "clean": clean,
        "degraded": jnp.clip(clean + jnp.asarray(noise, jnp.float32), 0, 1),
        "quality": jnp.full((1, 1, 1, 1), 7.0),
        "tables": jnp.full((1, 1, 1, 64), 0.9),
    }


def loss_of(task, params, batch):
    return task.loss(task.apply(params, batch), batch)


def estimated_map(params, image):
    """Interpolates between the centres of the two cells, at columns 31.5 and 95.5."""
    estimator = jax.jit(QualityEstimator(CONFIG.estimator).apply)
    cells = estimator({"params": params["estimator"]}, image).cells
    row = np.interp(np.arange(128), (31.5, 95.5), np.asarray(cells).ravel())
    return np.asarray(cells), np.broadcast_to(row[None, None, :, None], image.shape)


def test_the_restorer_uses_the_estimated_map_and_tables_derived_from_it(params, batch):
    loss, terms = jax.jit(lambda p: loss_of(make_task(), p, batch))(params)
    cells, quality = estimated_map(params, batch["degraded"])
    assert np.ptp(cells) > 0.1  # so that the map matters
    assert 1 < cells.min() < cells.max() < 100
    restorer = jax.jit(AGARNet(CONFIG.restorer).apply)
    out = restorer({"params": params["restorer"]}, batch["degraded"], quality=quality)
    restored, dct = (
        np.abs(np.asarray(image) - np.asarray(batch["clean"])).mean()
        for image in (out.restored, out.dct_restored)
    )
    estimation = np.abs(cells - 7).mean() / 100
    expected = {"l1": restored, "dct_l1": dct, "mean_absolute_error": 100 * estimation}
    assert {name: float(value) for name, value in terms.items()} == pytest.approx(
        expected, rel=1e-4
    )
    assert float(loss) == pytest.approx(restored + 0.5 * dct + WEIGHT * estimation, rel=1e-4)


def test_the_map_passes_gradients_to_the_estimator_unless_stopped(params, batch):
    def gradients(task):
        return jax.jit(jax.grad(lambda p: loss_of(task, p, batch)[0]))(params)

    estimation = EstimationTask(CONFIG.estimator)
    weighted = jax.grad(lambda p: WEIGHT * loss_of(estimation, p, batch)[0])
    alone = jax.jit(weighted)(params["estimator"])
    through, stopped = gradients(make_task()), gradients(make_task(MapGradient.STOPPED))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-9),
        stopped["estimator"],
        alone,
    )
    difference = jax.tree.map(
        lambda a, b: float(jnp.abs(a - b).max()), through["estimator"], stopped["estimator"]
    )
    assert max(jax.tree.leaves(difference)) > 1e-7
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-9),
        through["restorer"],
        stopped["restorer"],
    )


def test_evaluation_reports_the_gain_and_quality_error_of_blind_restoration(params, batch):
    clean = np.rint(np.asarray(batch["clean"][0, ..., 0]) * 255).astype(np.uint8)
    degraded = np.rint(np.asarray(batch["degraded"][0, ..., 0]) * 255).astype(np.uint8)
    quantized = {
        "clean": jnp.asarray(clean[None, ..., None] / np.float32(255)),
        "degraded": jnp.asarray(degraded[None, ..., None] / np.float32(255)),
        "quality": batch["quality"],
    }
    task = make_task()
    output = jax.jit(task.apply)(params, quantized)
    evaluated = task.metrics(output, quantized)
    metrics = {name: float(value[0]) for name, value in evaluated.items()}

    trained = weights.Weights(
        CONFIG.restorer, params["restorer"], CONFIG.estimator, params["estimator"]
    )
    blind = Restorer(trained, tile=None).restore(degraded, quality=QualitySource.MAP)
    psnr, jpeg = (
        20 * np.log10(255 / np.sqrt(np.square(image.astype(float) - clean).mean()))
        for image in (blind.image, degraded)
    )
    images = task.images(output, quantized)
    # Rounding to levels adds up to half a level.
    shown = np.asarray(images["restored"])[0, ..., 0] * 255
    np.testing.assert_allclose(np.clip(shown, 0, 255), blind.image, atol=0.51)
    assert 100 * np.mean(images["estimated"]) == pytest.approx(blind.quality_map.mean(), abs=1e-3)
    # A few samples may round to the other level.
    assert metrics["psnr_gain"] == pytest.approx(psnr - jpeg, abs=1e-3)
    assert metrics["error"] == pytest.approx(blind.quality_map.mean() - 7, abs=1e-3)
    assert metrics["absolute_error"] == abs(metrics["error"])
    assert task.score(metrics) == metrics["psnr_gain"]


def test_a_negative_loss_weight_is_rejected():
    with pytest.raises(ValueError, match=r"estimation_loss_weight is -1.0; it must be >= 0"):
        JointOptions(estimation_loss_weight=-1.0)
