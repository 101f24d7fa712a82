"""The free memory of devices, and the tile size that fits into it."""

import pathlib
from collections.abc import Sequence

import jax

from agarnet_jax.models import CELL
from agarnet_jax.restoration.tiling import LARGEST_TILE

_SMALLEST_TILE = 128
# Temporary memory of XLA:CPU, in bytes for each feature of the pixel branch and each pixel of a
# tile; `tiny`, with 16 features, takes 143 MB for 512×512.
_BYTES_PER_FEATURE = 35
_USABLE_FRACTION = 0.5  # of the free memory: pixels, parameters and other programs need some, too
_MEMORY_INFO = pathlib.Path("/proc/meminfo")
_CGROUP = pathlib.Path("/sys/fs/cgroup")  # of a container


def fitting_tile(pixel_features: int, devices: Sequence[jax.Device], *, overlap: int) -> int:
    """Returns the tile side that fits into the memory that is free now.

    128–512, but more than twice the overlap; a multiple of `CELL`.

    Args:
      pixel_features: width of the network's pixel branch.
      devices: each computes one tile at a time.
      overlap: of the tiles.
    """
    smallest = max(_SMALLEST_TILE, CELL * (2 * overlap // CELL + 1))
    known = [size for device in devices if (size := free_bytes(device)) is not None]
    tile = LARGEST_TILE
    if known:
        max_area = _USABLE_FRACTION * min(known) / (_BYTES_PER_FEATURE * pixel_features)
        while tile // 2 >= smallest and tile**2 > max_area:
            tile //= 2
    return max(tile, smallest)


def free_bytes(device: jax.Device) -> int | None:
    """Returns a device's free memory; None if unknown.

    CPU devices share the machine's memory equally.
    """
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
        limit, used = (int((_CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        return max(0, limit - used)
    except (OSError, ValueError):  # no container, or "max": no limit
        return None
