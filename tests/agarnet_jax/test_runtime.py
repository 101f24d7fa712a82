"""These settings affect a whole process, so each test starts a process of its own."""

import os
import subprocess
import sys

import pytest


def run_python(code, **environment):
    clean = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", *environment)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


COMPILE = """
import jax
from agarnet_jax import runtime
runtime.use_compilation_cache()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.jit(lambda x: x + 1)(1.0).block_until_ready()
"""


def test_compiled_programs_are_cached_in_the_users_cache_folder(tmp_path):
    run_python(COMPILE, AGARNET_COMPILATION_CACHE="", XDG_CACHE_HOME=str(tmp_path))
    assert list((tmp_path / "agarnet-jax" / "compiled").iterdir())


def test_the_cache_can_be_moved_and_disabled(tmp_path):
    folder = tmp_path / "elsewhere"
    run_python(COMPILE, AGARNET_COMPILATION_CACHE=str(folder), XDG_CACHE_HOME=str(tmp_path))
    assert list(folder.iterdir())
    home = tmp_path / "home"
    run_python(COMPILE, AGARNET_COMPILATION_CACHE="off", XDG_CACHE_HOME=str(home))
    assert not home.exists()


def test_a_damaged_cache_entry_is_compiled_again_silently(tmp_path):
    code = "import sys; sys.stderr = sys.stdout" + COMPILE
    assert run_python(code, AGARNET_COMPILATION_CACHE=str(tmp_path)) == []
    entries = list(tmp_path.glob("*-cache"))
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:100])
    assert entries
    assert run_python(code, AGARNET_COMPILATION_CACHE=str(tmp_path)) == []


def test_a_user_without_a_home_has_no_cache(tmp_path):
    no_home = """
import pathlib
def home():
    raise RuntimeError("no home")
pathlib.Path.home = home
"""
    environment = {"XDG_CACHE_HOME": "", "AGARNET_COMPILATION_CACHE": ""}
    run_python(no_home + COMPILE, **environment)
    folder = tmp_path / "chosen"
    run_python(no_home + COMPILE, **environment | {"AGARNET_COMPILATION_CACHE": str(folder)})
    assert list(folder.iterdir())


def test_an_unwritable_cache_folder_is_not_used(tmp_path):
    """JAX would warn about each program."""
    code = """
import os, jax
from agarnet_jax import runtime
os.access = lambda *_: False
runtime.use_compilation_cache()
print(jax.config.jax_compilation_cache_dir)
"""
    assert run_python(code, AGARNET_COMPILATION_CACHE=str(tmp_path)) == ["None"]


@pytest.mark.parametrize("batch_size", [None, 8])
def test_all_cores_count_where_the_affinity_of_a_process_is_unknown(batch_size):
    """As on macOS."""
    code = f"""
import os
del os.sched_getaffinity
from agarnet_jax import cores, runtime
runtime.prepare(batch_size={batch_size})
print(cores.available() == os.cpu_count())
"""
    assert run_python(code, AGARNET_COMPILATION_CACHE="off") == ["True"]


def test_a_cache_folder_that_cannot_be_created_is_not_used(tmp_path):
    (tmp_path / "file").touch()
    run_python(COMPILE, AGARNET_COMPILATION_CACHE=str(tmp_path / "file" / "cache"))


@pytest.mark.parametrize("batch_size", [None, 1, 3])
def test_the_number_of_devices_divides_the_batch(batch_size):
    code = f"""
import jax
from agarnet_jax import runtime
runtime.prepare(batch_size={batch_size})
print(jax.device_count())
"""
    (count,) = run_python(code, AGARNET_COMPILATION_CACHE="off")
    cores = min(len(os.sched_getaffinity(0)), 4)
    assert int(count) == {None: cores, 1: 1, 3: 3 if cores >= 3 else 1}[batch_size]
    flag = "--xla_force_host_platform_device_count=5"
    assert run_python(code, XLA_FLAGS=flag, AGARNET_COMPILATION_CACHE="off") == ["5"]


def test_after_jax_is_initialized_the_number_of_devices_is_kept():
    code = """
import logging, sys
import jax
logging.basicConfig(stream=sys.stdout, format="%(message)s")
before = jax.device_count()
from agarnet_jax import runtime
runtime.prepare()
print(jax.device_count() == before)
"""
    output = " ".join(run_python(code, AGARNET_COMPILATION_CACHE="off"))
    assert output == "JAX was used before runtime.prepare, so it keeps its 1 devices. True"


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc and /proc")
@pytest.mark.parametrize("batch_size", [None, 2])
def test_large_freed_buffers_are_returned_only_if_sizes_vary(batch_size):
    code = f"""
import os, pathlib
import numpy as np
from agarnet_jax import runtime
runtime.prepare(batch_size={batch_size})
def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = resident()
buffer = np.ones(200 * 2**20, np.uint8)
del buffer
print(resident() - before)
"""
    (grown,) = run_python(code, AGARNET_COMPILATION_CACHE="off")
    assert (int(grown) < 50 * 2**20) == (batch_size is None)


def test_imports_do_not_initialize_a_backend():
    """`jax.distributed.initialize` and the number of devices must come first."""
    code = """
import agarnet_jax.training.loop, agarnet_jax.restoration.restorer
import jax._src.xla_bridge as bridge
print(bridge.backends_are_initialized())
"""
    assert run_python(code) == ["False"]
