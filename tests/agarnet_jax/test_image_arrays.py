import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax import losses, metrics
from agarnet_jax.dct import block_dct, block_idct
from agarnet_jax.metrics import SsimWindow
from agarnet_jax.models import (
    AGARNet,
    AGARNetConfig,
    CellPlacement,
    EstimatorConfig,
    QualityEstimator,
    mean_over_area,
    quality_map,
)

IMAGE = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(1, 64, 64, 1)
LEVELS = np.uint8(255 * IMAGE)
METRICS = {
    "psnr": metrics.psnr,
    "psnr_b": metrics.psnr_b,
    "ssim uniform": functools.partial(metrics.ssim, window=SsimWindow.UNIFORM),
    "ssim gaussian": functools.partial(metrics.ssim, window=SsimWindow.GAUSSIAN),
}
LOSSES = {
    "l1": losses.l1,
    "charbonnier": functools.partial(losses.charbonnier, epsilon=1e-3),
    "mse": losses.mse,
    "rmse": losses.rmse,
    "frequency_l1": losses.frequency_l1,
}
COMPARED = METRICS | LOSSES
RESTORER = AGARNet(
    AGARNetConfig(
        pixel_features=4,
        dct_features=4,
        dct_blocks=1,
        encoder4_blocks=1,
        correction_gate=True,
    )
)
ESTIMATOR = QualityEstimator(EstimatorConfig(features=(4, 4, 6, 6)))


def restored(image, **options):
    """Returns the initialized restorer's output and its variables."""
    return RESTORER.init_with_output(jax.random.key(0), image, quality=30.0, **options)


def estimated(image):
    return ESTIMATOR.init_with_output(jax.random.key(0), image)


NETWORKS = {"restorer": restored, "estimator": estimated}


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("compare", COMPARED.values(), ids=COMPARED)
def test_integer_levels_raise_in_metrics_and_losses(compare, traced):
    compare = jax.jit(compare) if traced else compare
    for pair, name in (((LEVELS, IMAGE), "image|pred"), ((IMAGE, LEVELS), "reference|target")):
        with pytest.raises(ValueError, match=rf"^({name}).* uint8 .*Divide levels 0–255 by 255"):
            compare(*pair)


@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 1), (1, 1, 64, 64, 1)])
@pytest.mark.parametrize("compare", METRICS.values(), ids=METRICS)
def test_metrics_take_only_batches(compare, shape):
    with pytest.raises(ValueError, match=r"image has shape .*must be \(B, H, W, C\)"):
        compare(IMAGE.reshape(shape), IMAGE.reshape(shape))


@pytest.mark.parametrize(("window", "side"), [(SsimWindow.UNIFORM, 8), (SsimWindow.GAUSSIAN, 11)])
def test_images_smaller_than_the_ssim_window_raise(window, side):
    assert metrics.ssim(*2 * [IMAGE[:, :side, :side]], window=window).item() == 1
    for small in (IMAGE[:, : side - 1], IMAGE[:, :, : side - 1]):
        with pytest.raises(ValueError, match=f"{window.value}.* at least {side} pixels"):
            metrics.ssim(small, small, window=window)


@pytest.mark.parametrize("shape", [(64,), (2, 16, 16, 3)])
def test_as_batch_takes_only_one_image(shape):
    with pytest.raises(ValueError, match=r"one image.*got \("):
        metrics.as_batch(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize(
    ("image", "message"),
    [
        (LEVELS, "image is uint8 .*Divide levels 0–255 by 255"),
        (IMAGE[0], r"image has shape \(64, 64, 1\).*\(B, H, W, 1\)"),
        (IMAGE[..., 0], r"image has shape \(1, 64, 64\).*\(B, H, W, 1\)"),
        (np.repeat(IMAGE, 3, axis=3), r"image has shape \(1, 64, 64, 3\).*\(B, H, W, 1\)"),
    ],
)
def test_networks_raise_for_invalid_images(network, image, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(network, image)


def test_integer_tables_raise():
    with pytest.raises(ValueError, match=r"tables are uint8 .*expected floats .*network_table"):
        jax.eval_shape(restored, IMAGE, tables=np.full((1, 1, 1, 64), 16, np.uint8))


def test_all_functions_take_numpy_floats_of_any_width():
    for image in (IMAGE.astype(np.float64), IMAGE.astype(np.float16)):
        assert losses.mse(image + 0.1, image) == pytest.approx(0.01, abs=1e-4)  # float16
        assert metrics.psnr(image, image).item() == np.inf
        np.testing.assert_allclose(block_idct(block_dct(image)), image, atol=1e-6)
        assert jax.eval_shape(restored, image)[0].restored.dtype == jnp.float32


def on_cells(function, placement):
    cells = np.ones((1, 2, 2, 1), np.float32)
    return lambda _: function(cells, height=100, width=70, placement=placement)


FUNCTIONS = {
    **{name: functools.partial(compare, IMAGE) for name, compare in COMPARED.items()},
    "block_dct": block_dct,
    **{
        f"{function.__name__} {placement.value}": on_cells(function, placement)
        for function in (quality_map, mean_over_area)
        for placement in CellPlacement
    },
}
ALL_FUNCTIONS = FUNCTIONS | NETWORKS


@pytest.mark.parametrize("function", ALL_FUNCTIONS.values(), ids=ALL_FUNCTIONS)
def test_results_are_float32_with_x64_enabled(function):
    with jax.enable_x64(True):
        shapes = jax.eval_shape(function, IMAGE.astype(np.float64))
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_dtypes_are_never_mixed(function):
    """The networks are excluded, since Flax's pooling mixes dtypes."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        jax.eval_shape(function, IMAGE)
