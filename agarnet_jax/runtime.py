"""What a program (not a library) sets up before its first JAX operation, to be fast; and its end.

Importing this package changes no global setting; the `agarnet` command and the programs of
`experiments/` call `prepare`.
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
_MOST_CPU_DEVICES = 4  # beyond, XLA's own threads use the cores
# Parameters of glibc's mallopt (malloc.h).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -3, -4, -8
_LARGEST_MMAP_THRESHOLD = 32 * 2**20  # bytes; glibc takes no more
_log = logging.getLogger(__name__)


def prepare(*, batch_size: int | None = None) -> None:
    """Sets up compilation cache, CPU devices and memory; call before the first JAX operation.

    After it, the number of devices stays as it is, which is logged.

    Args:
      batch_size: of training, the batches that all devices must be able to share equally; None: of
        restoration, images of any number and size.
    """
    use_compilation_cache()
    use_cpu_devices(batch_size)
    keep_freed_memory(sizes_vary=batch_size is None)


def use_compilation_cache() -> None:
    """Keeps compiled programs in the user's cache folder, so that the next start need not compile.

    `AGARNET_COMPILATION_CACHE` names another folder or says "off"; a cache that JAX was already
    told of (`JAX_COMPILATION_CACHE_DIR`) stays. Programs in it that are damaged are compiled again.
    """
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
    known = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    folder = user_cache.cache_folder(CACHE_VARIABLE, "compiled")
    if folder is None or known is not None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a read-only home: compile every time
        return
    if not os.access(folder, os.W_OK):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def use_cpu_devices(batch_size: int | None = None) -> None:
    """Makes each of the first cores a device of its own, unless the user chose a number.

    XLA:CPU runs many of its convolution kernels on one core; two devices with half a batch each
    keep both busy (`docs/performance.md`). One of several processes makes one device, so that all
    have as many wherever they run. Other platforms are not affected.
    """
    chosen = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if chosen or jax.config.jax_num_cpu_devices > 0:  # type: ignore[attr-defined]
        return
    alone = not jax.distributed.is_initialized()
    count = min(cores.available(), _MOST_CPU_DEVICES) if alone else 1
    while batch_size is not None and batch_size % count:
        count -= 1
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:  # JAX has begun
        _log.warning(
            "JAX was used before runtime.prepare, so it keeps its %d devices.", jax.device_count()
        )


def keep_freed_memory(*, sizes_vary: bool = False) -> None:
    """Tells glibc to reuse freed buffers instead of returning them; does nothing elsewhere.

    Every execution on CPU allocates its temporary buffers anew; without this, the system maps
    and clears their pages each time.

    Args:
      sizes_vary: returns those above 32 MiB after all. A step of training asks for the same sizes
        again and again; where images of many sizes come, the gaps between kept buffers fit none
        of the next, and memory grows (`docs/performance.md` has both sides).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is None:
        return
    mallopt(_M_ARENA_MAX, 1)  # only the main arena can grow without mapping
    if sizes_vary:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    else:
        mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def exit_now(status: int) -> NoReturn:
    """Ends this process from any thread, whatever the others do, and the workers it started."""
    for child in multiprocessing.active_children():
        child.kill()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
