import types

import jax
import pytest

from agarnet_jax.restoration import Restorer, memory


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Sets what the system reports: (megabytes available, a container's limit, its usage)."""
    monkeypatch.setattr(memory, "_MEMORY_INFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)

    def report(available=None, limit=None, used=0):
        if available is not None:
            text = f"MemTotal: 99 kB\nMemAvailable:   {1000 * available} kB\n"
            (tmp_path / "meminfo").write_text(text)
        if limit is not None:
            (tmp_path / "memory.max").write_text(f"{limit}\n")
            (tmp_path / "memory.current").write_text(f"{used}\n")

    return report


def accelerator(**stats):
    return types.SimpleNamespace(platform="gpu", memory_stats=lambda: stats)


def test_cpu_devices_share_the_machines_memory(machine):
    machine(available=800)
    assert jax.local_device_count("cpu") == 2
    assert [memory.free_bytes(device) for device in jax.devices("cpu")] == [409_600_000] * 2
    machine(limit=300_000_000, used=100_000_000)
    assert memory.free_bytes(jax.devices("cpu")[0]) == 100_000_000
    machine(limit="max")
    assert memory.free_bytes(jax.devices("cpu")[0]) == 409_600_000


def test_an_accelerator_has_memory_of_its_own(machine):
    machine(available=800)
    assert memory.free_bytes(accelerator(bytes_limit=1000, bytes_in_use=400)) == 600
    assert memory.free_bytes(accelerator()) is None


# A tile of 512×512 takes 147 MB, and each of two devices may use half of its free memory.
@pytest.mark.parametrize(
    ("available", "tile"), [(None, 512), (10**5, 512), (600, 512), (500, 256), (140, 128), (1, 128)]
)
def test_tiles_fit_into_half_of_the_free_memory(machine, available, tile):
    machine(available=available)
    assert memory.fitting_tile(16, jax.devices("cpu"), overlap=32) == tile


def test_wider_networks_get_smaller_tiles(machine):
    machine(available=600)
    assert memory.fitting_tile(32, jax.devices("cpu"), overlap=32) == 256


@pytest.mark.parametrize(("overlap", "tile"), [(0, 128), (56, 128), (64, 256), (256, 576)])
def test_tiles_are_larger_than_twice_the_overlap(machine, overlap, tile):
    machine(available=1)
    assert memory.fitting_tile(16, jax.devices("cpu"), overlap=overlap) == tile
    assert Restorer.from_pretrained("tiny", overlap=overlap)._engine.restorer_tiling.largest == tile


def test_a_given_tile_size_is_used_whatever_the_memory(machine):
    machine(available=140)
    small = Restorer.from_pretrained("tiny")
    assert small._engine.restorer_tiling.largest == 128
    for tile in (None, 512):
        assert Restorer(small.weights, tile=tile)._engine.restorer_tiling.largest == tile
