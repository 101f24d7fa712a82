"""Shardings on meshes of the two test devices, and of eight devices in separate processes."""

import dataclasses
import subprocess
import sys

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from agarnet_jax import sharding

EIGHT_DEVICES = """
import jax
jax.config.update("jax_num_cpu_devices", 8)
import numpy as np
from agarnet_jax import sharding
"""


def run_on_eight_devices(code):
    result = subprocess.run(
        [sys.executable, "-c", EIGHT_DEVICES + code], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_large_leaves_are_sharded_along_their_longest_divisible_axis():
    lines = run_on_eight_devices("""
mesh = sharding.make_mesh(fsdp=4)
print(dict(mesh.shape))
for shape in [(), (1024,), (1023,), (8, 64, 32), (3, 3, 64, 64), (3, 7, 64), (4, 4), (2050, 3)]:
    leaf = jax.ShapeDtypeStruct(shape, np.float32)
    print(sharding.fsdp_shardings([leaf], mesh)[0].spec)
""")
    assert lines[0] == "{'data': 2, 'fsdp': 4}"
    expected = [
        PartitionSpec(),
        PartitionSpec("fsdp"),
        PartitionSpec(),  # not divisible
        PartitionSpec(None, "fsdp"),
        PartitionSpec(None, None, None, "fsdp"),  # the last of two equal axes
        PartitionSpec(None, None, "fsdp"),
        PartitionSpec(),  # small
        PartitionSpec(),
    ]
    assert lines[1:] == [str(spec) for spec in expected]


def test_a_batch_is_sharded_over_both_axes_in_the_order_of_devices():
    lines = run_on_eight_devices("""
mesh = sharding.make_mesh(fsdp=2)
images = np.arange(16)[:, None]
batch = sharding.global_batch({"x": images, "words": np.array(["a"] * 16)}, mesh)
print(list(batch), batch["x"].sharding.num_devices)
for shard in sorted(batch["x"].addressable_shards, key=lambda s: s.device.id):
    print(shard.data.ravel().tolist())
""")
    assert lines[0] == "['x'] 8"
    assert lines[1:] == [str([2 * i, 2 * i + 1]) for i in range(8)]


def test_without_fsdp_parameters_are_replicated():
    mesh = sharding.make_mesh()
    assert dict(mesh.shape) == {"data": 2, "fsdp": 1}
    leaf = jax.ShapeDtypeStruct((64, 64), np.float32)
    assert sharding.fsdp_shardings({"w": leaf}, mesh)["w"].spec == PartitionSpec()


def test_impossible_meshes_are_rejected():
    with pytest.raises(ValueError, match=r"train.fsdp is 3.*2 device"):
        sharding.make_mesh(fsdp=3)

    with pytest.raises(ValueError, match=r"\{0: 2, 1: 1\}.*JAX_NUM_CPU_DEVICES"):
        sharding.make_mesh(gpus(2, each=2)[:3])


@dataclasses.dataclass(frozen=True)
class Device:
    """The attributes of a device that JAX's mesh utilities read."""

    id: int
    process_index: int
    slice_index: int
    platform: str
    device_kind: str
    coords: tuple[int, int, int] = (0, 0, 0)
    core_on_chip: int = 0


def gpus(hosts, *, each):
    return [Device(i, i // each, i // each, "gpu", "NVIDIA H100") for i in range(hosts * each)]


def tpus(kind, *, sides, slices=1):
    """Slices with the given numbers of chips along x, y and z; each host has 2 × 2 chips."""
    width, height, depth = sides
    positions = [
        (part, z, y // 2, x // 2, y, x)
        for part in range(slices)
        for z in range(depth)
        for y in range(height)
        for x in range(width)
    ]
    hosts = sorted({position[:4] for position in positions})
    return [
        Device(i, hosts.index((part, z, row, column)), part, "tpu", kind, (x, y, z))
        for i, (part, z, row, column, y, x) in enumerate(sorted(positions))
    ]


@pytest.mark.parametrize(
    ("devices", "divisors"),
    [
        (gpus(1, each=8), (1, 2, 8)),
        (gpus(2, each=8), (1, 4, 8)),
        (gpus(3, each=4), (1, 4)),
        (tpus("TPU v5 lite", sides=(4, 4, 1)), (1, 2, 8, 16)),
        (tpus("TPU v5 lite", sides=(4, 4, 1), slices=2), (1, 4, 16)),
        (tpus("TPU v6 lite", sides=(4, 8, 1)), (1, 2, 8, 16)),
        (tpus("TPU v4", sides=(4, 4, 4)), (1, 2, 8, 32)),
        (tpus("TPU v4", sides=(2, 2, 4), slices=3), (1, 2, 8)),
    ],
    ids=lambda value: f"{len(value)} {value[0].device_kind}" if isinstance(value, list) else None,
)
def test_meshes_of_clusters_use_all_devices_and_keep_fsdp_within_a_slice(devices, divisors):
    for fsdp in divisors:
        mesh = sharding.make_mesh(devices, fsdp=fsdp)
        assert dict(mesh.shape) == {"data": len(devices) // fsdp, "fsdp": fsdp}
        assert set(mesh.axis_types) == {AxisType.Auto}
        assert sorted(device.id for device in mesh.devices.flat) == list(range(len(devices)))
        assert all(len({device.slice_index for device in row}) == 1 for row in mesh.devices)


def test_fsdp_over_several_slices_is_ordered_by_slice():
    mixed = np.random.default_rng(0).permutation(np.array(gpus(2, each=8), object))
    unequal = [*gpus(2, each=2), Device(4, 2, 1, "gpu", "NVIDIA H100")]
    unequal.append(dataclasses.replace(unequal[-1], id=5))  # two hosts form one slice
    for devices, fsdp in ((list(mixed), 16), (unequal, 2)):
        mesh = sharding.make_mesh(devices, fsdp=fsdp)
        assert [device.id for device in mesh.devices.flat] == list(range(len(devices)))


def test_batch_sizes_that_devices_cannot_share_are_rejected():
    mesh = sharding.make_mesh()
    sharding.check_batch_size("size", 8, mesh, accumulation=4)
    with pytest.raises(ValueError, match=r"size is 3.*2 devices.*multiple of 2\.$"):
        sharding.check_batch_size("size", 3, mesh)
    with pytest.raises(ValueError, match=r"size is 6.*in 2 microbatches.*multiple of 4\.$"):
        sharding.check_batch_size("size", 6, mesh, accumulation=2)


def test_a_sharded_state_is_restored_on_other_meshes(tmp_path):
    lines = run_on_eight_devices(f"""
from agarnet_jax.checkpoint import Checkpoints
def state(mesh, value):
    tree = {{"w": value * np.arange(64 * 64, dtype=np.float32).reshape(64, 64)}}
    return jax.device_put(tree, sharding.fsdp_shardings(tree, mesh))
meshes = {{fsdp: sharding.make_mesh(fsdp=fsdp) for fsdp in (8, 1, 2)}}
meshes["two devices"] = sharding.make_mesh(jax.devices()[:2], fsdp=2)
checkpoints = Checkpoints({str(tmp_path)!r})
checkpoints.save(1, state(meshes[8], 1), config={{}})
for mesh in meshes.values():
    restored, position = checkpoints.restore(1, state(mesh, 0))
    w = restored["w"]
    equal = bool((np.asarray(w) == np.arange(64 * 64).reshape(64, 64)).all())
    print(equal, position, w.addressable_shards[0].data.shape)
checkpoints.close()
""")
    assert lines == ["True 1 (64, 8)", "True 1 (64, 64)", "True 1 (64, 32)", "True 1 (64, 32)"]
