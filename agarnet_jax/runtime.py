"""Process-wide setup for speed, for programs rather than the library; and immediate exit.

Importing this package changes no global setting; the `agarnet` command and the programs of
`experiments/` call `prepare` before their first JAX operation.
"""

import ctypes
import logging
import multiprocessing
import os
import sys
import warnings
from typing import NoReturn

import jax

from agarnet_jax import cores, user_cache

CACHE_VARIABLE = "AGARNET_COMPILATION_CACHE"  # a folder, or "off"
_MAX_CPU_DEVICES = 4  # XLA's own threads use further cores
# Parameters of glibc's mallopt (malloc.h).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -3, -4, -8
_MAX_MMAP_THRESHOLD = 32 * 2**20  # bytes; glibc rejects more
_log = logging.getLogger(__name__)


def prepare(*, batch_size: int | None = None) -> None:
    """Sets up the compilation cache, CPU devices and memory; call before the first JAX operation.

    If JAX has been used already, the number of devices is unchanged, with a warning.

    Args:
      batch_size: of training, which all devices must be able to share equally; None for
        restoration, with images of any number and size.
    """
    use_compilation_cache()
    use_cpu_devices(batch_size)
    keep_freed_memory(sizes_vary=batch_size is None)


def use_compilation_cache() -> None:
    """Enables JAX's persistent compilation cache, in the user's cache folder.

    `AGARNET_COMPILATION_CACHE` names another folder, or disables the cache with "off". A cache that
    is already configured for JAX (`JAX_COMPILATION_CACHE_DIR`) is kept. Damaged cache entries are
    compiled again.
    """
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
    configured = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    folder = user_cache.cache_folder(CACHE_VARIABLE, "compiled")
    if folder is None or configured is not None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # for instance a read-only home: no cache
        return
    if not os.access(folder, os.W_OK):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def use_cpu_devices(batch_size: int | None = None) -> None:
    """Makes each of the first cores a device of its own, unless the user has set a number.

    XLA:CPU runs many of its convolution kernels on one core; two devices with half a batch each
    keep both busy (`docs/performance.md`). Each of several processes gets one device, so that all
    have the same number wherever they run. Other platforms are not affected.
    """
    set_by_flag = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if set_by_flag or jax.config.jax_num_cpu_devices > 0:  # type: ignore[attr-defined]
        return
    single_process = not jax.distributed.is_initialized()
    count = min(cores.available(), _MAX_CPU_DEVICES) if single_process else 1
    while batch_size is not None and batch_size % count:
        count -= 1
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:  # the backend is already initialized
        _log.warning(
            "JAX was used before runtime.prepare, so it keeps its %d devices.", jax.device_count()
        )


def keep_freed_memory(*, sizes_vary: bool = False) -> None:
    """Configures glibc to reuse freed buffers instead of returning them; no effect elsewhere.

    Each execution on CPU allocates its temporary buffers again; without this, the system maps and
    clears their pages each time.

    Args:
      sizes_vary: returns buffers above 32 MiB after all. A training step requests the same sizes
        again and again; with images of many sizes, new buffers do not fit the gaps left by old
        ones, and memory grows (`docs/performance.md` measures both).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is None:
        return
    mallopt(_M_ARENA_MAX, 1)  # only the main arena can grow without mmap
    if sizes_vary:
        mallopt(_M_MMAP_THRESHOLD, _MAX_MMAP_THRESHOLD)
    else:
        mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def exit_now(status: int) -> NoReturn:
    """Ends this process from any thread, without waiting for others, and kills its workers."""
    for child in multiprocessing.active_children():
        child.kill()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
