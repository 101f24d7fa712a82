"""Runs on several processes: how they connect, and how all stop when one is lost.

When a process dies, collectives fail or block forever, and JAX's coordination service ends the
other processes minutes later with pages of C++ traces. Therefore each process increments a
heartbeat counter in that service's key-value store and watches those of the others. When a counter
stops, every other process reports it on one line and exits with status `LOST`; the same command on
all hosts resumes from the last checkpoint.
"""

import contextlib
import ctypes
import dataclasses
import hashlib
import itertools
import os
import secrets
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import jax
import numpy as np
from etils import epath
from jax._src.distributed import global_state  # the only way to the key-value store
from jax.experimental import multihost_utils

from agarnet_jax.runtime import exit_now

LOST = 69  # exit status: another process was lost or failed (EX_UNAVAILABLE of sysexits.h)

_MAX_SILENT_ROUNDS = 12  # not seconds, as a busy machine slows down all processes alike
_HEARTBEATS, _DONE, _FAILED = "agarnet/alive", "done", "failed: "
_barrier_ids = itertools.count()
_exit_lock = threading.Lock()  # acquired by the one thread that ends the process
_handlers: list[Any] = []  # references that keep C callbacks alive


@dataclasses.dataclass(frozen=True)
class Cluster:
    """How processes connect; all None to detect a TPU pod, Slurm, GKE or Open MPI.

    Raises:
      ValueError: only some fields are given, or `process_id` is out of range.
    """

    coordinator_address: str | None = None  # HOST:PORT, of process 0
    num_processes: int | None = None
    process_id: int | None = None

    def __post_init__(self):
        missing = [name for name, value in vars(self).items() if value is None]
        if 0 < len(missing) < len(vars(self)):
            raise ValueError(
                f"{' and '.join(missing)} not given; give all of {', '.join(vars(self))}, or none "
                "to detect them on a TPU pod, Slurm or GKE."
            )
        if self.process_id is None or self.num_processes is None:
            return
        if not 0 <= self.process_id < self.num_processes:
            raise ValueError(
                f"process_id is {self.process_id}; with num_processes={self.num_processes} it "
                f"must be in 0–{self.num_processes - 1}."
            )


@contextlib.contextmanager
def joined(cluster: Cluster, *, timeout: float = 60) -> Iterator[None]:
    """Connects to the other processes of a run for the duration of the block.

    No JAX operation may precede it. Leaving the block waits for the other processes to leave. An
    exception other than `SystemExit` with a number is not propagated but ends this process with
    status 1 (130 for Ctrl-C), and the others with `LOST`. A process is considered lost after
    `timeout` seconds without a heartbeat.

    Raises:
      ValueError: no cluster was given or detected.
    """
    _install_abort_handler()
    _connect(cluster, timeout)
    heartbeat = _Heartbeat(timeout)
    try:
        yield
    except BaseException as error:
        if not isinstance(error, SystemExit) or isinstance(error.code, str):
            heartbeat.fail(error)
        heartbeat.leave()
        raise
    heartbeat.leave()


def check_identical(texts: Mapping[str, str]) -> None:
    """Checks that all processes pass the same texts, keyed by what they describe.

    All processes must call this. It waits for them without limit, as some may still be fetching
    data.

    Raises:
      ValueError: in all processes, if any has other keys than process 0, or another text under the
        same key; the message names the first such key.
    """
    if jax.process_count() == 1:
        return
    _barrier()
    if others := _differing(["\n".join(texts)]).get(0):
        raise ValueError(
            f"Process {others} has a different set of settings than process 0, as with another "
            "task or version; run the same command and code on all hosts."
        )
    for index, others in _differing(list(texts.values())).items():
        name, text = list(texts.items())[index]
        raise ValueError(
            f"Process {others} differs from process 0 in {name} (here: {text.splitlines()[0]}); "
            "use the same on all hosts."
        )


def _barrier() -> None:
    """Waits until all processes have called this; the first collective on CPU times out after 30 s.

    Polls from Python, since Ctrl-C does not interrupt a barrier of JAX's coordination service.
    """
    store: Any = global_state.client
    folder = f"agarnet/barrier/{next(_barrier_ids)}"
    store.key_value_set(f"{folder}/{global_state.process_id}", "here")
    while len(store.key_value_dir_get(folder)) < jax.process_count():
        time.sleep(0.2)


def _differing(texts: Sequence[str]) -> dict[int, str]:
    """Finds the texts that differ from those of process 0; all processes pass the same number.

    Returns, by the index of each such text, the processes where it differs, such as "1, 2".
    """
    hashes = [hashlib.sha256(text.encode()).digest()[:8] for text in texts]
    gathered = multihost_utils.process_allgather(np.frombuffer(b"".join(hashes), np.uint32))
    digests = gathered.reshape(jax.process_count(), len(texts), -1)
    differ = (digests != digests[0]).any(axis=2)
    return {
        index: ", ".join(map(str, np.flatnonzero(differ[:, index])))
        for index in np.flatnonzero(differ.any(axis=0)).tolist()
    }


def check_shared(folder: str) -> None:
    """Checks that the folder is the same for all processes, which must call this together.

    Raises:
      ValueError: in all processes, if any does not see there what process 0 writes into it.
    """
    if jax.process_count() == 1:
        return
    token = multihost_utils.broadcast_one_to_all(np.array(secrets.randbits(31), np.int32))
    probe = epath.Path(folder) / f".shared-{int(token):08x}"
    first = jax.process_index() == 0
    if first:
        probe.write_text("Do all processes see this file?")
    try:
        multihost_utils.sync_global_devices("probe written")
        seen = multihost_utils.process_allgather(np.array(_wait_for_file(probe)))
    finally:
        if first:
            probe.unlink()
    if not seen.all():
        others = ", ".join(map(str, np.flatnonzero(~seen)))
        raise ValueError(
            f"What process 0 writes into its --workdir (here: {folder}) is not seen by process "
            f"{others}; use a folder that all hosts share, or a bucket."
        )


def _wait_for_file(path: epath.Path) -> bool:
    """Returns whether a file exists; waits, as network file systems may show it seconds later."""
    for _ in range(20):
        with contextlib.suppress(OSError):
            if path.exists():
                return True
        time.sleep(0.5)
    return False


def print_once(message: str) -> None:
    """Prints a line on process 0 only."""
    if jax.process_index() == 0:
        print(message, flush=True)


def _connect(cluster: Cluster, timeout: float) -> None:
    # JAX's preemption service would swallow SIGTERM, which `training.signals` handles.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        # JAX's own timeouts apply only if the key-value store cannot be read.
        timeouts = ("heartbeat_timeout_seconds", "shutdown_timeout_seconds")
        options: dict[str, Any] = vars(cluster) | dict.fromkeys(timeouts, round(4 * timeout))
        jax.distributed.initialize(**options)
    except ValueError as error:
        if cluster.coordinator_address is not None:
            raise
        raise ValueError(
            "No TPU pod, Slurm, GKE or Open MPI was found that defines the processes; give "
            f"{', '.join(vars(cluster))} ({error})"
        ) from None


class _Heartbeat:
    """A thread that sends this process's heartbeat and watches those of the others."""

    def __init__(self, timeout: float):
        self._interval = timeout / _MAX_SILENT_ROUNDS
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        count, silent_rounds = 0, dict.fromkeys(range(global_state.num_processes), 0)
        last: dict[int, str] = {}
        store: Any = global_state.client
        while not self._closed.wait(self._interval):
            count += 1
            try:
                _publish(str(count))
                values = dict(store.key_value_dir_get(_HEARTBEATS))
            except Exception as error:  # RPC errors have no specific type
                _exit_lost(f"process 0, which all depend on, is lost ({_first_line(error)})")
            for process in silent_rounds:
                value = values.get(f"{_HEARTBEATS}/{process}", "")
                if value.startswith(_FAILED):
                    _exit_lost(f"process {process} {value}")
                silent = last.get(process) == value
                silent_rounds[process] = silent_rounds[process] + 1 if silent else 0
                last[process] = value
                if silent_rounds[process] > _MAX_SILENT_ROUNDS and value != _DONE:
                    silence = f"no heartbeat for {_MAX_SILENT_ROUNDS * self._interval:.0f} s"
                    _exit_lost(f"process {process} is lost, {silence}")

    def leave(self) -> None:
        """Waits until all processes leave."""
        self._closed.set()
        self._thread.join()
        _publish(_DONE)
        jax.distributed.shutdown()

    def fail(self, error: BaseException) -> None:
        """Ends this process, and thereby the others a round later."""
        if isinstance(error, jax.errors.JaxRuntimeError) or "Gloo" in str(error):
            # Most likely another process is lost, and the heartbeat thread will report which.
            time.sleep((_MAX_SILENT_ROUNDS + 3) * self._interval)
        _exit_lock.acquire()  # blocks forever if the heartbeat thread is already ending the process
        if isinstance(error, SystemExit):
            print(error.code, file=sys.stderr, flush=True)
        elif isinstance(error, KeyboardInterrupt):
            print("Stopped by SIGINT.", file=sys.stderr, flush=True)
        else:
            traceback.print_exception(error)
        self._closed.set()
        self._thread.join(2 * self._interval)
        with contextlib.suppress(Exception):
            _publish(_FAILED + _first_line(error))
            time.sleep(2 * self._interval)
        exit_now(128 + signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1)


def _publish(value: str) -> None:
    """Sets this process's heartbeat counter, or its final status."""
    store: Any = global_state.client
    store.key_value_set(f"{_HEARTBEATS}/{global_state.process_id}", value, allow_overwrite=True)


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _exit_lost(reason: str) -> NoReturn:
    """Ends this process with status `LOST`, even while its main thread is blocked."""
    _exit_lock.acquire()  # never released: a second thread blocks here until the process ends
    who = f"Process {global_state.process_id} of {global_state.num_processes}"
    remedy = "Run the same command on every host again to resume from the last checkpoint."
    os.write(2, f"\n{who} stops: {reason}. {remedy}\n".encode())
    if global_state.process_id == 0:
        time.sleep(3)  # the others need the service, which ends with process 0, to detect the loss
    exit_now(LOST)


def _install_abort_handler() -> None:
    """Makes aborts in JAX's C++ code, as when process 0 dies, end with a one-line explanation."""

    @ctypes.CFUNCTYPE(None, ctypes.c_int)
    def handler(_: int) -> None:
        _exit_lost("JAX lost contact with the other processes, usually because process 0 is lost")

    _handlers.append(handler)
    ctypes.CDLL(None).signal(signal.SIGABRT, handler)
