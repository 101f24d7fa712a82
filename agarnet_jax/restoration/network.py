"""The networks as pure functions of planes, for `jit`, gradients and `vmap`.

    import functools, jax, numpy as np
    from agarnet_jax import jpeg_tables, weights
    from agarnet_jax.restoration import network

    tiny = weights.load("tiny")
    restore = jax.jit(functools.partial(network.restore_planes, tiny.restorer_config))
    tables = jpeg_tables.network_tables_by_quality(tiny.restorer_config.table_scaling)[None]
    planes = np.zeros((1, 64, 64, 1), np.float32)
    restored = restore(tiny.restorer_params, planes, np.full((1, 1, 1, 1), 30.0), tables)

Chroma planes need the tables of `base=jpeg_tables.ANNEX_K_CHROMINANCE`. Forward-mode derivatives
(`jax.jvp`, `jacfwd`, `hessian`) need the native formulations, which are slower on CPU:
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
    """Returns restored planes (B, H, W, 1), not clipped.

    Args:
      config, params: `Weights.restorer_config` and `.restorer_params`.
      planes: (B, H, W, 1) float32 in [0, 1], H and W multiples of 8; the 8×8 grid starts at the
        origin.
      quality: JPEG quality 1–100, (B, 1, 1, 1) or pixel-wise (B, H, W, 1); clipped to that range.
      tables: (B, 101, 64), the tables of all qualities for each plane
        (`jpeg_tables.network_tables_by_quality`), or its own table repeated.
    """
    quality = jnp.clip(jnp.asarray(quality, jnp.float32), MIN_QUALITY, MAX_QUALITY)
    indices = block_quality(quality)[..., 0].astype(jnp.int32)
    block_tables = jax.vmap(lambda plane_tables, index: plane_tables[index])(
        jnp.asarray(tables), indices
    )
    model = AGARNet(config)
    return model.apply({"params": params}, planes, quality=quality, tables=block_tables).restored


def change_of_planes(
    config: AGARNetConfig,
    params: Any,
    planes: jax.Array,
    quality: jax.Array,
    tables: jax.Array,
) -> jax.Array:
    """Returns restored minus given planes; arguments and shape are those of `restore_planes`."""
    return restore_planes(config, params, planes, quality, tables) - planes


def estimate_cells(config: EstimatorConfig, params: Any, planes: jax.typing.ArrayLike) -> jax.Array:
    """Returns the quality of 64×64 cells of (B, H, W, 1), (B, rows, columns, 1), not clipped."""
    return QualityEstimator(config).apply({"params": params}, planes).cells


class Networks:
    """Restorer and estimator compiled for devices, among which batches are split evenly.

    A batch of fewer planes than devices runs on as many devices as it has planes. Padding it with
    copies would occupy cores over which some operations of XLA:CPU could spread.

    change: `change_of_planes` without config and params, for NumPy arrays.
    cells: `estimate_cells`, likewise.
    """

    def __init__(self, trained: weights.Weights, *, devices: Sequence[jax.Device] | None):
        devices = jax.local_devices() if devices is None else devices
        self.device_count = len(devices)
        restorer = trained.restorer_config, trained.restorer_params
        self.change = _on_devices(change_of_planes, *restorer, devices=devices, inputs=3)
        estimator = trained.estimator_config, trained.estimator_params
        self.cells = _on_devices(estimate_cells, *estimator, devices=devices, inputs=1)


def check_devices(devices: Any) -> None:
    """Raises TypeError unless given None or a sequence of devices, ValueError if it is empty."""
    if devices is None:
        return
    if not isinstance(devices, Sequence) or not all(isinstance(d, jax.Device) for d in devices):
        raise TypeError(f"devices is {devices!r}; pass a list, such as jax.local_devices()[:1].")
    if not devices:
        raise ValueError("devices is empty; pass at least one, or None for all local ones.")


def _on_devices(
    function: Callable, config: Any, params: Any, *, devices: Sequence[jax.Device], inputs: int
) -> Callable[..., np.ndarray]:
    """Compiles a function of `inputs` arrays (B, …) for the devices.

    B must be a multiple of the number of devices, or less than that number.
    """

    @functools.cache
    def program(count: int) -> Callable[..., jax.Array]:
        mesh = make_mesh(devices[:count])
        replicated, split = replicated_sharding(mesh), batch_sharding(mesh)
        # No closure over parameters: networks of one configuration share the compiled program.
        compiled = jax.jit(
            function,
            static_argnums=0,
            in_shardings=(replicated, *inputs * [split]),
            out_shardings=split,
        )
        return functools.partial(compiled, config, jax.device_put(params, replicated))

    return lambda *arrays: np.asarray(program(min(len(arrays[0]), len(devices)))(*arrays))


def is_out_of_memory(error: jax.errors.JaxRuntimeError) -> bool:
    """Whether a device ran out of memory."""
    return "RESOURCE_EXHAUSTED" in str(error)
