import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from agarnet_jax.models.conv3d import CONV3D, Conv3D
from agarnet_jax.models.formulations import Conv3DFormulation


@pytest.fixture(scope="module")
def x():
    return jax.random.normal(jax.random.key(0), (2, 64, 3, 5, 4))


def conv(formulation):
    return Conv3D(6, formulation, jnp.dtype(jnp.float32))


@pytest.fixture(scope="module")
def params(x):
    params = conv(Conv3DFormulation.NATIVE).init(jax.random.key(1), x)["params"]
    return params | {"bias": jax.random.normal(jax.random.key(2), (6,))}


@pytest.mark.parametrize("formulation", CONV3D)
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


@pytest.mark.parametrize("formulation", [Conv3DFormulation.STACKED, Conv3DFormulation.WINOGRAD])
def test_gradients_equal_those_of_the_native_formulation(formulation, x, params):
    def gradients(formulation):
        def loss(params, x):
            return (conv(formulation).apply({"params": params}, x) ** 2).mean()

        return jax.jit(jax.grad(loss, argnums=(0, 1)))(params, x)

    expected = gradients(Conv3DFormulation.NATIVE)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), gradients(formulation), expected
    )


@pytest.mark.parametrize(
    ("widths", "expected"),
    [((8, 8), "stacked"), ((1, 32), "stacked"), ((32, 32), "winograd")],
)
def test_auto_depends_on_the_number_of_features_on_cpu(widths, expected):
    chosen = Conv3DFormulation.AUTO.resolve(in_features=widths[0], features=widths[1])
    assert chosen.value == expected


def test_winograd_rejects_a_depth_that_is_not_a_multiple_of_4():
    with pytest.raises(ValueError, match=r"multiple of 4, got 6; use .*STACKED"):
        conv(Conv3DFormulation.WINOGRAD).init(jax.random.key(0), jnp.zeros((1, 6, 2, 2, 4)))
