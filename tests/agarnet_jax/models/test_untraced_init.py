"""Layers that are applied without tracing their initializers, beside Flax's own."""

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax.models.conv2d import Conv2D
from agarnet_jax.models.formulations import Conv2DFormulation
from agarnet_jax.models.untraced_init import Dense


def test_dense_begins_and_computes_as_flax_does():
    x = jax.random.normal(jax.random.key(1), (2, 5))
    ours, theirs = Dense(3), nn.Dense(3)
    params, expected = ours.init(jax.random.key(0), x), theirs.init(jax.random.key(0), x)
    jax.tree.map(np.testing.assert_array_equal, params, expected)
    np.testing.assert_array_equal(ours.apply(params, x), theirs.apply(params, x))


def test_applying_does_not_ask_for_first_values():
    asked = []

    def counted(rng, shape, dtype=jnp.float32):
        asked.append(shape)
        return jnp.zeros(shape, dtype)

    x = jnp.ones((1, 8, 8, 2))
    layer = Conv2D(4, Conv2DFormulation.AUTO, jnp.dtype("float32"), kernel_init=counted)
    params = layer.init(jax.random.key(0), x)
    assert asked == [(3, 3, 2, 4)]
    layer.apply(params, x)
    assert asked == [(3, 3, 2, 4)]


def test_a_parameter_of_another_shape_is_refused_by_its_place():
    class Two(nn.Module):
        @nn.compact
        def __call__(self, x):
            return Dense(3, name="second")(Dense(2, name="first")(x))

    x = jnp.ones((1, 4))
    params = Two().init(jax.random.key(0), x)["params"]
    params["second"]["kernel"] = jnp.ones((2, 7))
    with pytest.raises(flax.errors.ScopeParamShapeError, match=r'"/second".*\(2, 3\).*\(2, 7\)'):
        Two().apply({"params": params}, x)


def test_a_missing_parameter_is_refused_as_flax_does():
    with pytest.raises(flax.errors.ScopeParamNotFoundError, match="bias"):
        Dense(3).apply({"params": {"kernel": jnp.ones((4, 3))}}, jnp.ones((1, 4)))


def test_a_parameter_in_a_box_is_taken_out_as_flax_does():
    init = nn.with_partitioning(nn.initializers.lecun_normal(), (None, "model"))
    x = jnp.ones((1, 4))
    params = Dense(3, kernel_init=init).init(jax.random.key(0), x)
    assert isinstance(params["params"]["kernel"], nn.Partitioned)
    expected = nn.Dense(3).apply(nn.unbox(params), x)
    np.testing.assert_array_equal(Dense(3, kernel_init=init).apply(params, x), expected)


def test_layers_of_other_names_and_places_are_tabulated_and_recomputed():
    """`nn.tabulate` reads the parameters, `nn.remat` calls layers through another scope."""

    class Network(nn.Module):
        dense: type[nn.Module]

        @nn.compact
        def __call__(self, x):
            shared = self.dense(4, name="shared")
            return nn.remat(self.dense)(2, name="recomputed")(shared(shared(x)))

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
    assert "recomputed" in table
