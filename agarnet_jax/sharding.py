"""Data parallelism: parameters on every device, batches split over all of them."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

DATA_AXIS = "data"


def make_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A one-dimensional mesh of the given devices, or of all devices of all processes."""
    devices = jax.devices() if devices is None else devices
    shape = (len(devices),)
    return jax.make_mesh(shape, (DATA_AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    return NamedSharding(mesh, PartitionSpec())


def split_by_batch(mesh: Mesh) -> NamedSharding:
    return NamedSharding(mesh, PartitionSpec(DATA_AXIS))


def global_batch(local: Mapping[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """The batch whose share of this process is `local`, on the devices."""
    sharding = split_by_batch(mesh)
    return {
        key: jax.make_array_from_process_local_data(sharding, value) for key, value in local.items()
    }


def check_batch_size(name: str, size: int, mesh: Mesh) -> None:
    """Raises ValueError unless every device gets the same share of a batch."""
    if size % mesh.size:
        raise ValueError(
            f"{name} is {size}, which {mesh.size} devices cannot share equally; "
            f"use a multiple of {mesh.size}."
        )
