import dataclasses
import functools

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax.models import AGARNet, AGARNetConfig
from agarnet_jax.training.warm_start import InitialFit, check_initial_params, load_initial_params

SMALLER = AGARNetConfig(
    pixel_features=4,
    dct_features=4,
    dct_blocks=1,
    encoder1_blocks=1,
    encoder2_blocks=1,
    encoder4_blocks=1,
    decoder2_blocks=1,
    decoder2_gated_blocks=1,
    decoder1_blocks=1,
    decoder1_gated_blocks=1,
    gate_features=8,
    correction_gate=True,
)
LARGER = {
    "pixels": {"pixel_features": 6},
    "frequencies": {"dct_features": 6},
    "gates": {"gate_features": 12},
    "blocks": {
        field.name: 2 for field in dataclasses.fields(SMALLER) if field.name.endswith("blocks")
    },
}
LARGER["everything"] = {name: size for sizes in LARGER.values() for name, size in sizes.items()}
IMAGE = jax.random.uniform(jax.random.key(1), (1, 24, 16, 1))
QUALITY = jax.random.uniform(jax.random.key(2), IMAGE.shape, minval=1, maxval=100)


@pytest.fixture(scope="module")
def params_of(random_params):
    return lambda config, seed: random_params(AGARNet(config), IMAGE, seed)


@functools.partial(jax.jit, static_argnums=0)
def restore(config: AGARNetConfig, params):
    return AGARNet(config).apply({"params": params}, IMAGE, quality=QUALITY)


@pytest.mark.parametrize("change", LARGER)
def test_a_grown_network_initially_computes_the_same_function(params_of, change):
    config = dataclasses.replace(SMALLER, **LARGER[change])
    smaller, fresh = params_of(SMALLER, 3), params_of(config, 4)
    check_initial_params(smaller, fresh, InitialFit.GROWN)
    grown = load_initial_params(smaller, fresh, InitialFit.GROWN)
    expected, actual = restore(SMALLER, smaller), restore(config, grown)
    assert np.abs(expected.restored - IMAGE).mean() > 0.1  # far above rounding errors
    np.testing.assert_allclose(actual.restored, expected.restored, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(actual.dct_restored, expected.dct_restored, rtol=1e-4, atol=1e-5)
    assert jax.tree.map(jnp.shape, grown) == jax.tree.map(jnp.shape, fresh)


def test_every_new_feature_receives_gradients(params_of):
    """Gradients reach the weights from new to old features, which start at zero."""
    config = dataclasses.replace(SMALLER, **LARGER["pixels"], **LARGER["frequencies"])
    grown = load_initial_params(params_of(SMALLER, 3), params_of(config, 4), InitialFit.GROWN)
    gradient = jax.grad(lambda params: jnp.mean(restore(config, params).restored ** 2))(grown)
    flat = flax.traverse_util.flatten_dict(gradient, sep="/")
    for name, values in flat.items():
        if name.endswith("conv1/kernel"):
            assert np.abs(values[..., 4:, :4]).max(axis=-1).min() > 0, name


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"correction_gate": False}, r"correction_gate/head/bias: missing, the model has \(1,\)"),
        ({"correction_gate": False, "gates": False}, "pixel_gates/stem/kernel: missing"),
    ],
)
def test_only_residual_blocks_may_be_new(params_of, changes, missing):
    """Randomly initialized gates would change the output."""
    smaller = params_of(dataclasses.replace(SMALLER, **changes), 3)
    with pytest.raises(ValueError, match=missing) as raised:
        check_initial_params(smaller, params_of(SMALLER, 4), InitialFit.GROWN)
    assert "dct_branch/head" not in str(raised.value)


@pytest.mark.parametrize("change", ["pixels", "blocks"])
def test_growing_into_a_smaller_network_fails(params_of, change):
    larger = params_of(dataclasses.replace(SMALLER, **LARGER[change]), 3)
    with pytest.raises(ValueError, match="cannot grow") as raised:
        check_initial_params(larger, params_of(SMALLER, 4), InitialFit.GROWN)
    wider = "encoder2_block0/conv1/kernel: (3, 3, 12, 12), the model has (3, 3, 8, 8)"
    deeper = "dct_branch/block1/conv1/kernel: (3, 3, 3, 4, 4), the model has no such parameter"
    assert (wider if change == "pixels" else deeper) in str(raised.value)
