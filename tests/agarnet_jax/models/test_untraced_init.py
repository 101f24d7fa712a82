"""Compares the layers that are applied without tracing their initializers with Flax's own."""

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax.models.conv2d import Conv2D
from agarnet_jax.models.formulations import Conv2DFormulation
from agarnet_jax.models.untraced_init import Dense


def test_dense_initializes_and_computes_as_flax_does():
    x = jax.random.normal(jax.random.key(1), (2, 5))
    ours, theirs = Dense(3), nn.Dense(3)
    params, expected = ours.init(jax.random.key(0), x), theirs.init(jax.random.key(0), x)
    jax.tree.map(np.testing.assert_array_equal, params, expected)
    np.testing.assert_array_equal(ours.apply(params, x), theirs.apply(params, x))


def test_apply_does_not_call_initializers():
    calls = []

    def initializer(rng, shape, dtype=jnp.float32):
        calls.append(shape)
        return jnp.zeros(shape, dtype)

    x = jnp.ones((1, 8, 8, 2))
    layer = Conv2D(4, Conv2DFormulation.AUTO, jnp.dtype("float32"), kernel_init=initializer)
    params = layer.init(jax.random.key(0), x)
    assert calls == [(3, 3, 2, 4)]
    layer.apply(params, x)
    assert calls == [(3, 3, 2, 4)]


def test_parameter_of_another_shape_raises_an_error_with_its_path():
    class Two(nn.Module):
        @nn.compact
        def __call__(self, x):
            return Dense(3, name="second")(Dense(2, name="first")(x))

    x = jnp.ones((1, 4))
    params = Two().init(jax.random.key(0), x)["params"]
    params["second"]["kernel"] = jnp.ones((2, 7))
    with pytest.raises(flax.errors.ScopeParamShapeError, match=r'"/second".*\(2, 3\).*\(2, 7\)'):
        Two().apply({"params": params}, x)


def test_missing_parameter_raises_as_in_flax():
    with pytest.raises(flax.errors.ScopeParamNotFoundError, match="bias"):
        Dense(3).apply({"params": {"kernel": jnp.ones((4, 3))}}, jnp.ones((1, 4)))


def test_boxed_parameter_is_unboxed_as_in_flax():
    init = nn.with_partitioning(nn.initializers.lecun_normal(), (None, "model"))
    x = jnp.ones((1, 4))
    params = Dense(3, kernel_init=init).init(jax.random.key(0), x)
    assert isinstance(params["params"]["kernel"], nn.Partitioned)
    expected = nn.Dense(3).apply(nn.unbox(params), x)
    np.testing.assert_array_equal(Dense(3, kernel_init=init).apply(params, x), expected)


def test_shared_and_rematerialized_layers_work_and_are_tabulated():
    """`nn.tabulate` reads the parameters, and `nn.remat` calls layers in another scope."""

    class Network(nn.Module):
        dense: type[nn.Module]

        @nn.compact
        def __call__(self, x):
            shared = self.dense(4, name="shared")
            return nn.remat(self.dense)(2, name="rematerialized")(shared(shared(x)))

    x = jax.random.normal(jax.random.key(1), (3, 4))
    ours, theirs = Network(Dense), Network(nn.Dense)
    params = theirs.init(jax.random.key(0), x)

    def gradients(network):
        return jax.grad(lambda p: (network.apply(p, x) ** 2).sum())(params)

    jax.tree.map(np.testing.assert_array_equal, gradients(ours), gradients(theirs))
    shapes = jax.eval_shape(lambda: params)
    assert jax.eval_shape(ours.apply, shapes, x).shape == (3, 2)
    table = ours.tabulate(jax.random.key(0), x)
    assert table == theirs.tabulate(jax.random.key(0), x)
    assert "rematerialized" in table
