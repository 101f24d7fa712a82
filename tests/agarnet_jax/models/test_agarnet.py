import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax import jpeg_tables
from agarnet_jax.models import (
    AGARNet,
    AGARNetConfig,
    ComputeDtype,
    EstimatorConfig,
    QualityEstimator,
)

SMALL = {
    "pixel_features": 4,
    "dct_features": 4,
    "gate_features": 8,
    "dct_blocks": 1,
    "encoder1_blocks": 1,
    "encoder2_blocks": 1,
    "encoder4_blocks": 2,
    "decoder2_blocks": 1,
    "decoder2_gated_blocks": 1,
    "decoder1_blocks": 1,
    "decoder1_gated_blocks": 1,
}


@functools.cache
def abstract_params(config, size=64):
    image = jax.ShapeDtypeStruct((1, size, size, 1), jnp.float32)
    init = lambda rng, x: AGARNet(config).init(rng, x, quality=50.0)  # noqa: E731
    return jax.eval_shape(init, jax.random.key(0), image)["params"]


def count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@pytest.fixture(scope="module")
def image(gray_photo):
    return jnp.asarray(gray_photo[None, :64, :96, None] / 255, jnp.float32)


@pytest.fixture(scope="module")
def model():
    return AGARNet(AGARNetConfig(**SMALL))


@pytest.fixture(scope="module")
def params(random_params, model, image):
    return random_params(model, image, 0)


def applied(model, params):
    return jax.jit(lambda x, **kw: model.apply({"params": params}, x, **kw))


@pytest.fixture(scope="module")
def apply(model, params):
    return applied(model, params)


@pytest.mark.parametrize(
    ("features", "part", "expected"),  # AGARNET.md §6
    [
        (32, None, 9_655_940),
        (32, "pixel_gates", 14_688),
        (32, "dct_quality_gate", 2_208),
        (32, "dct_table_gate", 8_320),
        (32, "dct_branch", 526_401),
        (8, None, 1_813_293 - 701_665),
        (8, "pixel_gates", 3_768),
    ],
)
def test_parameter_counts_are_those_of_the_release(features, part, expected):
    params = abstract_params(AGARNetConfig(pixel_features=features))
    assert count(params[part] if part else params) == expected


def test_estimator_parameter_count_is_that_of_the_release():
    image = jax.ShapeDtypeStruct((1, 64, 64, 1), jnp.float32)
    init = QualityEstimator(EstimatorConfig()).init
    assert count(jax.eval_shape(init, jax.random.key(0), image)) == 701_665


def test_outputs_have_the_shape_of_the_image():
    model = AGARNet(AGARNetConfig())
    image = jax.ShapeDtypeStruct((2, 512, 768, 1), jnp.float32)
    params = abstract_params(AGARNetConfig())
    out = jax.eval_shape(lambda p, x: model.apply({"params": p}, x, quality=30.0), params, image)
    assert out.restored.shape == out.dct_restored.shape == image.shape


@pytest.mark.parametrize("sizes", [{}, SMALL, {**SMALL, "correction_gate": True}])
def test_untrained_network_returns_its_input(random_params, image, sizes):
    model = AGARNet(AGARNetConfig(**sizes))

    @jax.jit
    def last_parameters(key):  # the others do not matter and are slow to compile
        params = model.init(key, image, quality=50.0)["params"]
        return params["blend"], params["pixel_branch"]["out"]

    params = random_params(model, image, 0)
    params["blend"], params["pixel_branch"]["out"] = last_parameters(jax.random.key(0))
    restored = applied(model, params)(image, quality=30.0).restored
    np.testing.assert_array_equal(restored, image)


def test_constant_quality_map_equals_scalar_quality(apply, image):
    by_scalar = apply(image, quality=30.0)
    by_map = apply(image, quality=jnp.full(image.shape, 30.0))
    by_array = apply(image, quality=jnp.full((1, 1, 1, 1), 30.0))
    # Equal gates, computed in another order: a few float32 roundings of values up to 8.
    np.testing.assert_allclose(by_map.restored, by_scalar.restored, atol=1e-5)
    np.testing.assert_array_equal(by_array.restored, by_scalar.restored)


def test_quality_changes_the_result_only_where_it_differs(apply, image):
    quality = jnp.full(image.shape, 20.0).at[:, :, 80:].set(90.0)
    changed = np.abs(apply(image, quality=quality).restored - apply(image, quality=20.0).restored)
    assert changed[:, :, 80:].max() > 1e-3
    # 80 − 8 pixels exceed the receptive field of the DCT branch with the few blocks of SMALL.
    assert changed[:, :, :8].max() < changed[:, :, 80:].max() / 10


def test_given_tables_replace_those_derived_from_quality(apply, image):
    scaling = AGARNetConfig().table_scaling
    table = jpeg_tables.network_table(jpeg_tables.quality_table(30, scaling=scaling))
    derived = apply(image, quality=30.0).restored
    for shape in ((1, 1, 1, 64), (1, 8, 12, 64)):
        tables = jnp.broadcast_to(table.reshape(1, 1, 1, 64), shape)
        given = apply(image, quality=30.0, tables=tables).restored
        np.testing.assert_allclose(given, derived, atol=1e-6)
    flat = apply(image, quality=30.0, tables=jnp.full((1, 1, 1, 64), 16 / 255)).restored
    assert np.abs(flat - derived).max() > 1e-4


def test_gradients_are_finite_and_reach_every_parameter(model, params, image):
    def loss(params):
        out = model.apply({"params": params}, image, quality=30.0)
        return jnp.abs(out.restored - 0.5).mean() + jnp.abs(out.dct_restored - 0.5).mean()

    gradients = jax.jit(jax.grad(loss))(params)
    for path, gradient in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.isfinite(gradient).all(), path
        assert np.abs(gradient).max() > 0, path


def test_remat_does_not_change_the_result(apply, params, image):
    out = apply(image, quality=30.0)
    rematerialized = applied(AGARNet(AGARNetConfig(**SMALL, remat=True)), params)(
        image, quality=30.0
    )
    np.testing.assert_array_equal(out.restored, rematerialized.restored)


def test_bfloat16_approximates_float32_and_returns_float32(apply, params, image):
    config = AGARNetConfig(**SMALL, compute_dtype=ComputeDtype.BFLOAT16)
    coarse = applied(AGARNet(config), params)(image, quality=30.0)
    fine = apply(image, quality=30.0)
    assert coarse.restored.dtype == coarse.dct_restored.dtype == jnp.float32
    difference = np.abs(coarse.restored - fine.restored).mean()
    assert 0 < difference < 0.05  # 8 bits of mantissa over a dozen layers


def test_quality_is_ignored_without_gates(random_params, image):
    model = AGARNet(AGARNetConfig(**SMALL, gates=False))
    params = random_params(model, image, 0)
    assert not [name for name in params if "gate" in name]
    low = model.apply({"params": params}, image, quality=5.0).restored
    high = model.apply({"params": params}, image, quality=95.0).restored
    np.testing.assert_array_equal(low, high)


@pytest.mark.parametrize("shape", [(2, 1, 1, 1), (1, 8, 12, 1), (1, 1), (1, 96, 64, 1)])
def test_quality_of_wrong_shape_raises(model, params, image, shape):
    with pytest.raises(ValueError, match="quality has shape"):
        model.apply({"params": params}, image, quality=jnp.ones(shape))


@pytest.mark.parametrize("shape", [(1, 1, 1, 63), (2, 1, 1, 64), (1, 12, 8, 64), (64,)])
def test_tables_of_wrong_shape_raise(model, params, image, shape):
    with pytest.raises(ValueError, match=r"tables are float32 .*expected floats .*network_table"):
        model.apply({"params": params}, image, quality=50.0, tables=jnp.ones(shape))


def test_configs_accept_enum_values_as_strings_and_reject_invalid_ones():
    assert AGARNetConfig(compute_dtype="bfloat16").compute_dtype is ComputeDtype.BFLOAT16
    with pytest.raises(ValueError, match=r"compute_dtype is 'float8'.*float32, bfloat16"):
        AGARNetConfig(compute_dtype="float8")
    with pytest.raises(ValueError, match="pixel_features is 0; it must be at least 1"):
        AGARNetConfig(pixel_features=0)
    with pytest.raises(ValueError, match=r"features is \(1, 2, 3\).*4 elements"):
        EstimatorConfig(features=(1, 2, 3))
    with pytest.raises(
        ValueError, match=r"features is \(1, 0, 3, 4\); it must be four positive widths"
    ):
        EstimatorConfig(features=(1, 0, 3, 4))


@pytest.fixture(scope="module")
def gated(random_params, image):
    """A model with a correction gate, and parameters: initial ones of the gate, others random."""
    model = AGARNet(AGARNetConfig(**SMALL, correction_gate=True))
    gate = jax.jit(lambda key: model.init(key, image, quality=50.0)["params"]["correction_gate"])
    return model, random_params(model, image, 0) | {"correction_gate": gate(jax.random.key(0))}


def test_correction_gate_initially_applies_the_full_correction(gated, image):
    model, params = gated
    without = {name: value for name, value in params.items() if name != "correction_gate"}
    expected = AGARNet(AGARNetConfig(**SMALL)).apply({"params": without}, image, quality=30.0)
    actual = model.apply({"params": params}, image, quality=30.0)
    np.testing.assert_allclose(actual.restored, expected.restored, atol=1e-6)


def test_correction_gate_scales_the_difference_from_the_input(gated, image):
    model, params = gated
    head = params["correction_gate"]["head"]
    closed = head | {"bias": jnp.full_like(head["bias"], np.log(0.25 / 1.75))}  # 2σ = 0.25
    changed = params | {"correction_gate": params["correction_gate"] | {"head": closed}}
    full = model.apply({"params": params}, image, quality=30.0).restored - image
    part = model.apply({"params": changed}, image, quality=30.0).restored - image
    assert float(jnp.abs(full).max()) > 1e-3
    np.testing.assert_allclose(part, 0.25 * full, atol=1e-6)


@pytest.mark.parametrize(
    ("quality", "gain"), [(97.75, 1), (98, 0.8), (98.25, 0.6), (99, 0), (100, 0)]
)
def test_correction_gate_fades_to_zero_at_quality_99(gated, image, quality, gain):
    model, params = gated
    without = {name: value for name, value in params.items() if name != "correction_gate"}
    full = AGARNet(AGARNetConfig(**SMALL)).apply({"params": without}, image, quality=quality)
    actual = model.apply({"params": params}, image, quality=quality)
    expected = image + gain * (full.restored - image)
    np.testing.assert_allclose(actual.restored, expected, atol=1e-6 * bool(gain))


def test_correction_gate_needs_gates():
    with pytest.raises(ValueError, match="correction_gate is set without gates"):
        AGARNetConfig(gates=False, correction_gate=True)


@pytest.mark.parametrize(("quality", "clipped"), [(-3.0, 1.0), (0.0, 1.0), (130.0, 100.0)])
def test_quality_is_clipped_to_its_range(apply, image, quality, clipped):
    np.testing.assert_array_equal(
        apply(image, quality=quality).restored, apply(image, quality=clipped).restored
    )
