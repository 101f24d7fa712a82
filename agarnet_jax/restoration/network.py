"""The networks as pure functions of planes: to compile, differentiate or map.

    import functools, jax, numpy as np
    from agarnet_jax import jpeg_tables, weights
    from agarnet_jax.restoration import network

    tiny = weights.load("tiny")
    restore = jax.jit(functools.partial(network.restore_planes, tiny.restorer_config))
    tables = jpeg_tables.network_tables_by_quality(tiny.restorer_config.table_scaling)[None]
    planes = np.zeros((1, 64, 64, 1), np.float32)
    restored = restore(tiny.restorer_params, planes, np.full((1, 1, 1, 1), 30.0), tables)

Chroma planes take the tables of `base=jpeg_tables.ANNEX_K_CHROMINANCE`. Forward-mode derivatives
(`jax.jvp`, `jacfwd`, `hessian`) need the native formulations, on CPU slower ones:
`dataclasses.replace(tiny.restorer_config, conv2d="native", conv3d="native")`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agarnet_jax import weights
from agarnet_jax.jpeg_tables import MAX_QUALITY, MIN_QUALITY
from agarnet_jax.models import AGARNet, AGARNetConfig, EstimatorConfig, QualityEstimator
from agarnet_jax.models.agarnet import block_quality
from agarnet_jax.sharding import batch_sharding, make_mesh, replicated_sharding


def restore_planes(
    config: AGARNetConfig,
    params: Any,
    planes: jax.typing.ArrayLike,
    quality: jax.typing.ArrayLike,
    tables: jax.typing.ArrayLike,
) -> jax.Array:
    """Restored planes (B, H, W, 1), not clipped.

    Args:
      config, params: `Weights.restorer_config` and `.restorer_params`.
      planes: (B, H, W, 1) float32 in [0, 1], H and W multiples of 8, the grid at the origin.
      quality: JPEG quality 1–100, (B, 1, 1, 1) or pixel-wise (B, H, W, 1); clipped into range.
      tables: (B, 101, 64), for each plane the table of every quality
        (`jpeg_tables.network_tables_by_quality`), or its own table repeated.
    """
    quality = jnp.clip(jnp.asarray(quality, jnp.float32), MIN_QUALITY, MAX_QUALITY)
    of_blocks = block_quality(quality)[..., 0].astype(jnp.int32)
    chosen = jax.vmap(lambda by_quality, at: by_quality[at])(jnp.asarray(tables), of_blocks)
    model = AGARNet(config)
    return model.apply({"params": params}, planes, quality=quality, tables=chosen).restored


def change_of_planes(
    config: AGARNetConfig,
    params: Any,
    planes: jax.Array,
    quality: jax.Array,
    tables: jax.Array,
) -> jax.Array:
    """Restored minus given planes; arguments and shape as of `restore_planes`."""
    return restore_planes(config, params, planes, quality, tables) - planes


def estimate_cells(config: EstimatorConfig, params: Any, planes: jax.typing.ArrayLike) -> jax.Array:
    """Quality of each 64×64 cell, not clipped: (B, H, W, 1) to (B, rows, columns, 1)."""
    return QualityEstimator(config).apply({"params": params}, planes).cells


class Networks:
    """Restorer and estimator compiled for devices, which share every batch equally.

    A batch of fewer planes than devices takes as many devices as it has planes: copies for the
    others would take the cores that some operations of XLA:CPU spread to.

    change: `change_of_planes` of NumPy arrays without config and params; cells: `estimate_cells`.
    """

    def __init__(self, trained: weights.Weights, *, devices: Sequence[jax.Device] | None):
        devices = jax.local_devices() if devices is None else devices
        self.device_count = len(devices)
        restorer = trained.restorer_config, trained.restorer_params
        self.change = _on_devices(change_of_planes, *restorer, devices=devices, inputs=3)
        estimator = trained.estimator_config, trained.estimator_params
        self.cells = _on_devices(estimate_cells, *estimator, devices=devices, inputs=1)


def check_devices(devices: Any) -> None:
    """Raises TypeError unless it is None or a sequence of devices, ValueError if that is empty."""
    if devices is None:
        return
    if not isinstance(devices, Sequence) or not all(isinstance(d, jax.Device) for d in devices):
        raise TypeError(f"devices is {devices!r}; pass a list, such as jax.local_devices()[:1].")
    if not devices:
        raise ValueError("devices is empty; pass at least one, or None for all local ones.")


def _on_devices(
    function: Callable, config: Any, params: Any, *, devices: Sequence[jax.Device], inputs: int
) -> Callable[..., np.ndarray]:
    """The function of so many arrays (B, …), B a multiple of the number of devices, or smaller."""

    @functools.cache
    def program(count: int) -> Callable[..., jax.Array]:
        mesh = make_mesh(devices[:count])
        everywhere, split = replicated_sharding(mesh), batch_sharding(mesh)
        # Nothing is closed over: networks of one configuration share what was traced and compiled.
        compiled = jax.jit(
            function,
            static_argnums=0,
            in_shardings=(everywhere, *inputs * [split]),
            out_shardings=split,
        )
        return functools.partial(compiled, config, jax.device_put(params, everywhere))

    return lambda *arrays: np.asarray(program(min(len(arrays[0]), len(devices)))(*arrays))


def is_out_of_memory(error: jax.errors.JaxRuntimeError) -> bool:
    """Whether a device had not enough memory for what it was asked to compute."""
    return "RESOURCE_EXHAUSTED" in str(error)
