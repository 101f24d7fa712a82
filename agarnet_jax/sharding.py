"""Sharding of batches and training states over a mesh of devices.

The mesh has two axes. Parameters are replicated along `data` and sharded along `fsdp` ("fully
sharded data parallel", as in ZeRO stage 3, https://arxiv.org/abs/1910.02054): there, each device
keeps a part of the parameters, of their average and of the optimizer state, and gathers the
parameters for a step. Batches are sharded over both axes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jax.typing import ArrayLike

DATA_AXIS, FSDP_AXIS = "data", "fsdp"
MIN_SHARDED_SIZE = 1024  # elements; for smaller leaves gathering costs more than memory is saved


def make_mesh(devices: Sequence[jax.Device] | None = None, *, fsdp: int = 1) -> Mesh:
    """Arranges the given devices, or all devices of all processes, as a mesh `data` × `fsdp`.

    Neighbours have fast links where possible: devices along `fsdp` belong to one slice, which is a
    part of a TPU pod or, usually, the GPUs of one host. The order of devices is therefore not that
    of processes.

    Raises:
      ValueError: `fsdp` does not divide the number of devices, or processes have different numbers
        of devices.
    """
    devices = jax.devices() if devices is None else devices
    if len(devices) % fsdp:
        raise ValueError(
            f"train.fsdp is {fsdp}, which does not divide {len(devices)} device(s); "
            "use a divisor of that number."
        )
    owners = [device.process_index for device in devices]
    counts = {process: owners.count(process) for process in sorted(set(owners))}
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"Processes have different numbers of devices ({counts}); give each the same number, "
            "on CPU with JAX_NUM_CPU_DEVICES."
        )
    return Mesh(
        _arrange(devices, fsdp), (DATA_AXIS, FSDP_AXIS), axis_types=(AxisType.Auto, AxisType.Auto)
    )


def _arrange(devices: Sequence[jax.Device], fsdp: int) -> np.ndarray:
    """Returns the devices as an array (data, fsdp).

    `jax.make_mesh` supports only one slice and, on some TPUs, no mesh axis that covers only a part
    of an axis of the torus.
    """
    slices = [getattr(device, "slice_index", 0) for device in devices]  # CPUs have none
    count = len(set(slices))
    size = len(devices) // count
    if count == 1:
        return mesh_utils.create_device_mesh(
            (size // fsdp, fsdp), devices, allow_split_physical_axes=True
        )
    if size % fsdp == 0 and all(slices.count(index) == size for index in slices):
        return mesh_utils.create_hybrid_device_mesh(
            (size // fsdp, fsdp), (count, 1), devices, allow_split_physical_axes=True
        )
    in_order = sorted(devices, key=lambda device: (device.slice_index, device.id))
    return np.array(in_order).reshape(-1, fsdp)


def replicated_sharding(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of an array that every device holds completely."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh, *, axis: int = 0) -> NamedSharding:
    """Returns the sharding of an array that is split over all devices along its batch axis."""
    return NamedSharding(mesh, PartitionSpec(*axis * [None], (DATA_AXIS, FSDP_AXIS)))


def fsdp_shardings(tree: Any, mesh: Mesh) -> Any:
    """Returns the sharding of each array, or `jax.ShapeDtypeStruct`, of a training state.

    Leaves of at least `MIN_SHARDED_SIZE` elements are split over `fsdp` along the longest axis that
    the number of parts divides, the last one of equally long axes; all others are replicated.
    """
    parts = mesh.shape[FSDP_AXIS]

    def sharding(leaf: Any) -> NamedSharding:
        divisible = [axis for axis, side in enumerate(leaf.shape) if side % parts == 0]
        if parts == 1 or leaf.size < MIN_SHARDED_SIZE or not divisible:
            return replicated_sharding(mesh)
        longest = max(divisible, key=lambda axis: (leaf.shape[axis], axis))
        return NamedSharding(mesh, PartitionSpec(*longest * [None], FSDP_AXIS))

    return jax.tree.map(sharding, tree)


def global_batch(local: Mapping[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Creates a global batch from this process's part, `local`; drops arrays of strings.

    A process's images go to its own devices. Where the mesh interleaves the devices of processes,
    the order of images in the global batch therefore differs from that of their indices.
    """
    sharding = batch_sharding(mesh)
    return {
        key: jax.make_array_from_process_local_data(sharding, value)
        for key, value in local.items()
        if value.dtype.kind != "U"
    }


def replicate(value: ArrayLike, mesh: Mesh) -> jax.Array:
    """Replicates a value, the same in all processes, to every device."""
    return jax.make_array_from_process_local_data(replicated_sharding(mesh), np.asarray(value))


def check_batch_size(name: str, size: int, mesh: Mesh, *, accumulation: int = 1) -> None:
    """Checks that every microbatch can be split equally over all devices.

    Args:
      name: the setting that holds the size, for the message.
      size: images per batch, over all devices.
      mesh: the devices.
      accumulation: microbatches per batch.

    Raises:
      ValueError: the size is not a multiple of devices × microbatches.
    """
    if size % (mesh.size * accumulation):
        microbatches = f" in {accumulation} microbatches" if accumulation > 1 else ""
        raise ValueError(
            f"{name} is {size}, which {mesh.size} devices cannot share equally{microbatches}; "
            f"use a multiple of {mesh.size * accumulation}."
        )
