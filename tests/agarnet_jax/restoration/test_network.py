import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax import jpeg_tables, weights
from agarnet_jax.jpeg_tables import ANNEX_K_CHROMINANCE
from agarnet_jax.models import AGARNet
from agarnet_jax.restoration import network
from agarnet_jax.training.profiling import CompilationCounter


@pytest.fixture(scope="module")
def tiny():
    return weights.load("tiny")


@pytest.fixture(scope="module")
def planes(gray_photo):
    """(2, 32, 32, 1)."""
    return np.stack([gray_photo[:32, :32], gray_photo[64:96, 64:96]])[..., None] / np.float32(255)


def test_restore_planes_is_the_network_with_a_table_for_each_plane(tiny, planes):
    bases = (jpeg_tables.ANNEX_K_LUMINANCE, ANNEX_K_CHROMINANCE)
    scaling = tiny.restorer_config.table_scaling
    tables = np.stack([jpeg_tables.network_tables_by_quality(scaling, base=b) for b in bases])
    restore = jax.jit(functools.partial(network.restore_planes, tiny.restorer_config))
    quality = np.full((2, 1, 1, 1), 60.0, np.float32)
    restored = restore(tiny.restorer_params, planes, quality, tables)
    chosen = np.stack([jpeg_tables.quality_table(60, base=base) for base in bases])
    expected = jax.jit(AGARNet(tiny.restorer_config).apply)(
        {"params": tiny.restorer_params},
        jnp.asarray(planes),
        quality=quality,
        tables=jpeg_tables.network_table(chosen)[:, None, None],
    ).restored
    np.testing.assert_allclose(restored, expected, atol=1e-6)


def test_networks_of_one_configuration_share_programs_and_keep_their_weights(tiny, planes):
    """So a second restorer, with other weights, needs no compilation."""
    halved = jax.tree.map(lambda leaf: leaf / 2, tiny.estimator_params)
    first = network.Networks(tiny, devices=None)
    second = network.Networks(
        dataclasses.replace(tiny, estimator_params=halved), devices=jax.local_devices()
    )
    images = planes.repeat(2, axis=1).repeat(2, axis=2)
    cells = first.cells(images)
    counter = CompilationCounter()
    others = second.cells(images)
    assert counter.pop_count() == 0
    counter.close()
    expected = network.estimate_cells(tiny.estimator_config, halved, images)
    np.testing.assert_allclose(others, expected, rtol=1e-4)
    assert (others != cells).all()


def test_batches_may_be_smaller_than_the_number_of_devices(tiny, planes):
    networks = network.Networks(tiny, devices=None)
    assert networks.device_count == 2
    images = planes.repeat(2, axis=1).repeat(2, axis=2)
    alone = [networks.cells(images[i : i + 1]) for i in (0, 1)]
    np.testing.assert_allclose(np.concatenate(alone), networks.cells(images), rtol=1e-5)


def test_running_out_of_memory_is_distinguished_from_other_failures():
    lack = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")
    other = jax.errors.JaxRuntimeError("INTERNAL: broken")
    assert network.is_out_of_memory(lack)
    assert not network.is_out_of_memory(other)


def test_forward_mode_derivatives_need_the_native_formulations(tiny, planes):
    """The others have custom reverse-mode derivatives."""
    native = dataclasses.replace(tiny.restorer_config, conv2d="native", conv3d="native")
    packed = dataclasses.replace(tiny.restorer_config, conv2d="packed", conv3d="winograd")
    tables = jpeg_tables.network_tables_by_quality(native.table_scaling)[None]
    image = jnp.asarray(planes[:1, :16, :16])

    def restored(config, image):
        quality = np.full((1, 1, 1, 1), 30.0)
        return network.restore_planes(config, tiny.restorer_params, image, quality, tables)

    jacobian = jax.eval_shape(jax.jacfwd(functools.partial(restored, native)), image)
    assert jacobian.shape == 2 * image.shape
    hessian = jax.hessian(lambda x: restored(native, x).sum())
    assert jax.eval_shape(hessian, image).shape == 2 * image.shape
    with pytest.raises(TypeError, match="forward-mode"):
        jax.eval_shape(jax.jacfwd(functools.partial(restored, packed)), image)
