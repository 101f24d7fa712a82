"""How much memory devices have left, and how large the tiles may be that they compute."""

import pathlib
from collections.abc import Sequence

import jax

from agarnet_jax.models import CELL
from agarnet_jax.restoration.tiling import LARGEST_TILE

_SMALLEST_TILE = 128
# Temporary memory of XLA:CPU for each feature of the pixel branch at each pixel of a tile; `tiny`,
# of 16, takes 143 MB for 512×512.
_BYTES_PER_FEATURE = 35
_USED_SHARE = 0.5  # of what is free: pixels, parameters and others want some, too
_MEMORY_INFO = pathlib.Path("/proc/meminfo")
_GROUP = pathlib.Path("/sys/fs/cgroup")  # of a container


def fitting_tile(pixel_features: int, devices: Sequence[jax.Device], *, overlap: int) -> int:
    """The side of tiles of a restorer of such a width, by the memory that is free now.

    128–512, but more than twice the overlap, a multiple of `CELL`.
    """
    smallest = max(_SMALLEST_TILE, CELL * (2 * overlap // CELL + 1))
    known = [size for device in devices if (size := free_bytes(device)) is not None]
    tile = LARGEST_TILE
    if known:
        affordable = _USED_SHARE * min(known) / (_BYTES_PER_FEATURE * pixel_features)
        while tile // 2 >= smallest and tile**2 > affordable:
            tile //= 2
    return max(tile, smallest)


def free_bytes(device: jax.Device) -> int | None:
    """What a device has left; CPU devices share what the machine has. None if it cannot be told."""
    stats = device.memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    if device.platform != "cpu":
        return None
    known = [size for size in (_free_on_machine(), _free_in_container()) if size is not None]
    return min(known) // jax.local_device_count("cpu") if known else None


def _free_on_machine() -> int | None:
    try:
        lines = dict(line.split(":") for line in _MEMORY_INFO.read_text().splitlines())
        return 1024 * int(lines["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError):  # not Linux
        return None


def _free_in_container() -> int | None:
    try:
        limit, used = (int((_GROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        return max(0, limit - used)
    except (OSError, ValueError):  # no container, or "max": no limit
        return None
