"""Where arrays lie: batches split over all devices, parameters on every device or split too.

A mesh has two axes. Along `data` the parameters are repeated; along `fsdp` ("fully sharded data
parallel", as in ZeRO stage 3, https://arxiv.org/abs/1910.02054) each device keeps a part of the
parameters, their average and the optimizer's state, and gathers the parameters for a step. A batch
is split over both axes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jax.typing import ArrayLike

DATA_AXIS, FSDP_AXIS = "data", "fsdp"
SMALLEST_SPLIT = 1024  # elements; gathering fewer costs more time than the memory is worth


def make_mesh(devices: Sequence[jax.Device] | None = None, *, fsdp: int = 1) -> Mesh:
    """Arranges the given devices, or all devices of all processes, as a mesh `data` × `fsdp`.

    Neighbours have fast links where that is possible: those along `fsdp` are of one slice, which is
    a part of a TPU pod, or as a rule the GPUs of one host. Their order is not that of processes.

    Raises:
      ValueError: `fsdp` does not divide the number of devices, or processes differ in theirs.
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
            f"Processes have different numbers of devices ({counts}); give each the same, "
            "on CPU by JAX_NUM_CPU_DEVICES."
        )
    return Mesh(
        _arranged(devices, fsdp), (DATA_AXIS, FSDP_AXIS), axis_types=(AxisType.Auto, AxisType.Auto)
    )


def _arranged(devices: Sequence[jax.Device], fsdp: int) -> np.ndarray:
    """Returns the devices as an array (data, fsdp).

    `jax.make_mesh` takes no more than one slice, and on some TPUs no axis that is but a part of one
    of the torus.
    """
    slices = [getattr(device, "slice_index", 0) for device in devices]  # CPUs have none
    count = len(set(slices))
    size = len(devices) // count
    if count == 1:
        return mesh_utils.create_device_mesh(
            (size // fsdp, fsdp), devices, allow_split_physical_axes=True
        )
    if size % fsdp == 0 and all(slices.count(each) == size for each in slices):
        return mesh_utils.create_hybrid_device_mesh(
            (size // fsdp, fsdp), (count, 1), devices, allow_split_physical_axes=True
        )
    in_order = sorted(devices, key=lambda device: (device.slice_index, device.id))
    return np.array(in_order).reshape(-1, fsdp)


def replicated_sharding(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of an array that is whole on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh, *, axis: int = 0) -> NamedSharding:
    """Returns the sharding of an array that all devices share along its batch axis, `axis`."""
    return NamedSharding(mesh, PartitionSpec(*axis * [None], (DATA_AXIS, FSDP_AXIS)))


def fsdp_shardings(tree: Any, mesh: Mesh) -> Any:
    """Says of each array or `jax.ShapeDtypeStruct` of a training state how it lies on the mesh.

    Leaves of at least `SMALLEST_SPLIT` elements are split over `fsdp` along their longest axis
    that its size divides, the last of equally long ones; all others are on every device.
    """
    parts = mesh.shape[FSDP_AXIS]

    def sharding(leaf: Any) -> NamedSharding:
        divisible = [axis for axis, side in enumerate(leaf.shape) if side % parts == 0]
        if parts == 1 or leaf.size < SMALLEST_SPLIT or not divisible:
            return replicated_sharding(mesh)
        longest = max(divisible, key=lambda axis: (leaf.shape[axis], axis))
        return NamedSharding(mesh, PartitionSpec(*longest * [None], FSDP_AXIS))

    return jax.tree.map(sharding, tree)


def global_batch(local: Mapping[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Puts a batch on the devices, of which this process has the share `local`; leaves out strings.

    A process's images go to its own devices, so where the mesh mixes the devices of processes, the
    images of the batch are in another order than their numbers.
    """
    sharding = batch_sharding(mesh)
    return {
        key: jax.make_array_from_process_local_data(sharding, value)
        for key, value in local.items()
        if value.dtype.kind != "U"
    }


def replicate(value: ArrayLike, mesh: Mesh) -> jax.Array:
    """Puts a value that all processes have on every device."""
    return jax.make_array_from_process_local_data(replicated_sharding(mesh), np.asarray(value))


def check_batch_size(name: str, size: int, mesh: Mesh, *, accumulation: int = 1) -> None:
    """Checks that every device gets the same share of each microbatch.

    Args:
      name: of the setting that holds the size, for the error.
      size: images of a batch, over all devices.
      mesh: the devices.
      accumulation: microbatches of a batch.

    Raises:
      ValueError: it does not.
    """
    if size % (mesh.size * accumulation):
        rounds = f" in {accumulation} microbatches" if accumulation > 1 else ""
        raise ValueError(
            f"{name} is {size}, which {mesh.size} devices cannot share equally{rounds}; "
            f"use a multiple of {mesh.size * accumulation}."
        )
