import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax.models.conv2d import Conv2D, conv2d, packed_conv2d
from agarnet_jax.models.formulations import Conv2DFormulation

# (in, out, width); they are packed by 4, by 2 or not at all.
SHAPES = [(1, 8, 24), (8, 8, 16), (8, 8, 6), (8, 1, 7), (16, 16, 8), (16, 12, 5), (3, 24, 8)]


def inputs(channels, features, width):
    keys = jax.random.split(jax.random.key(channels), 3)
    return (
        jax.random.normal(keys[0], (2, 5, width, channels)),
        jax.random.normal(keys[1], (3, 3, channels, features)),
        jax.random.normal(keys[2], (2, 5, width, features)),
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_packed_convolution_and_its_gradients_equal_the_plain_ones(shape):
    x, kernel, gradient = inputs(*shape)
    expected, plain_vjp = jax.vjp(conv2d, x, kernel)
    actual, packed_vjp = jax.vjp(packed_conv2d, x, kernel)
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    for a, b in zip(packed_vjp(gradient), plain_vjp(gradient)):
        np.testing.assert_allclose(a, b, atol=5e-5)  # sums of up to 200 terms of size 1


def test_both_formulations_take_the_parameters_of_flax_and_give_its_result():
    x, *_ = inputs(8, 8, 16)
    flax_conv = nn.Conv(8, (3, 3))
    variables = flax_conv.init(jax.random.key(0), x)
    for formulation in (Conv2DFormulation.NATIVE, Conv2DFormulation.PACKED):
        ours = Conv2D(8, formulation, jnp.dtype(jnp.float32))
        np.testing.assert_allclose(
            ours.apply(variables, x), flax_conv.apply(variables, x), atol=1e-5
        )


def test_auto_is_packed_on_cpu():
    assert Conv2DFormulation.AUTO.resolve() is Conv2DFormulation.PACKED
