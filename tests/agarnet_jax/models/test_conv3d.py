import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from agarnet_jax.models.conv3d import Conv3D, Conv3DFormulation

FORMULATIONS = [Conv3DFormulation.NATIVE, Conv3DFormulation.STACKED]


@pytest.fixture(scope="module")
def x():
    return jax.random.normal(jax.random.key(0), (2, 64, 3, 5, 4))


def conv(formulation):
    return Conv3D(6, formulation, jnp.dtype(jnp.float32))


@pytest.fixture(scope="module")
def params(x):
    params = conv(Conv3DFormulation.NATIVE).init(jax.random.key(1), x)["params"]
    return params | {"bias": jax.random.normal(jax.random.key(2), (6,))}


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_equals_scipy_correlation(formulation, x, params):
    actual = conv(formulation).apply({"params": params}, x)
    kernel, signal = np.asarray(params["kernel"], np.float64), np.asarray(x, np.float64)
    for output in range(6):
        expected = params["bias"][output] + sum(
            scipy.ndimage.correlate(
                signal[0, ..., channel], kernel[..., channel, output], mode="constant"
            )
            for channel in range(4)
        )
        np.testing.assert_allclose(actual[0, ..., output], expected, atol=1e-5)


def test_gradients_agree(x, params):
    def loss(formulation, params, x):
        return (conv(formulation).apply({"params": params}, x) ** 2).mean()

    native, stacked = (
        jax.jit(jax.grad(lambda p, x, f=f: loss(f, p, x), argnums=(0, 1)))(params, x)
        for f in FORMULATIONS
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), native, stacked)


def test_auto_is_stacked_on_cpu():
    assert Conv3DFormulation.AUTO.resolve() is Conv3DFormulation.STACKED
