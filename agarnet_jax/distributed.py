"""One run on many processes: how they find each other, and how all end when one is lost.

When a process dies, collectives fail or wait for ever, and JAX's service ends the others minutes
later with pages of C++ traces. So each process counts up a number in that service's key-value store
and looks at those of all. When one stands still, every other process says so on one line and exits
with status `LOST`; the same command on all hosts continues from the last checkpoint.
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
from typing import Any

import jax
import numpy as np
from etils import epath
from jax._src.distributed import global_state  # the only way to the key-value store
from jax.experimental import multihost_utils

from agarnet_jax.runtime import exit_now

LOST = 69  # exit status: another process is gone or failed (EX_UNAVAILABLE of sysexits.h)

_ROUNDS = 12  # that a number may stand still; rounds, as a busy machine slows all processes alike
_FOLDER, _DONE, _FAILED = "agarnet/alive", "done", "failed: "
_meetings = itertools.count()  # each needs a name of its own
_stopping = threading.Lock()
_handlers: list[Any] = []  # C only has their addresses


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The place where processes meet; all None: as a TPU pod, Slurm, GKE or Open MPI says.

    Raises:
      ValueError: only some are given, or the process is not one of them.
    """

    coordinator_address: str | None = None  # HOST:PORT, of process 0
    num_processes: int | None = None
    process_id: int | None = None

    def __post_init__(self):
        missing = [name for name, value in vars(self).items() if value is None]
        if 0 < len(missing) < len(vars(self)):
            raise ValueError(
                f"{' and '.join(missing)} not given; give all of {', '.join(vars(self))}, or none "
                "where a TPU pod, Slurm or GKE tells them."
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
    """Joins the other processes of a run; no JAX operation may precede it.

    Leaving the block waits for the others to leave. An exception other than `SystemExit` with a
    number ends this process here, with status 1, Ctrl-C with 130, and the others with `LOST`. A
    process counts as lost that gave no sign of life for `timeout` seconds.

    Raises:
      ValueError: nothing says where the processes meet.
    """
    _end_readably_on_abort()
    _connect(cluster, timeout)
    life = _Life(timeout)
    try:
        yield
    except BaseException as error:
        if not isinstance(error, SystemExit) or isinstance(error.code, str):
            life.fail(error)
        life.leave()
        raise
    life.leave()


def check_identical(texts: Mapping[str, str]) -> None:
    """Checks that all processes, which call this together, have the same texts by name.

    The first to come wait for the last, who may have data to fetch.

    Raises:
      ValueError: in all of them, if one has texts of other names than process 0, or another text
        by the same name; tells the first such name.
    """
    if jax.process_count() == 1:
        return
    _wait_for_all()
    if others := _unlike(["\n".join(texts)]).get(0):
        raise ValueError(
            f"Process {others} has settings of other names than process 0, as of another task or "
            "version; run the same command and code on all hosts."
        )
    for number, others in _unlike(list(texts.values())).items():
        name, text = list(texts.items())[number]
        raise ValueError(
            f"Process {others} differs from process 0 in {name} (here: {text.splitlines()[0]}); "
            "make them alike."
        )


def _wait_for_all() -> None:
    """Waits until all processes are here; the first collective on CPU only waits 30 seconds.

    In Python, as Ctrl-C would not end a barrier of JAX's service.
    """
    store: Any = global_state.client
    place = f"agarnet/alike/{next(_meetings)}"
    store.key_value_set(f"{place}/{global_state.process_id}", "here")
    while len(store.key_value_dir_get(place)) < jax.process_count():
        time.sleep(0.2)


def _unlike(texts: Sequence[str]) -> dict[int, str]:
    """Finds the texts that differ from those of process 0; all processes have as many.

    Returns, by the number of such a text, the processes where it differs, as "1, 2".
    """
    here = [hashlib.sha256(text.encode()).digest()[:8] for text in texts]
    everywhere = multihost_utils.process_allgather(np.frombuffer(b"".join(here), np.uint32))
    digests = everywhere.reshape(jax.process_count(), len(texts), -1)
    differ = (digests != digests[0]).any(axis=2)
    return {
        number: ", ".join(map(str, np.flatnonzero(differ[:, number])))
        for number in np.flatnonzero(differ.any(axis=0)).tolist()
    }


def check_shared(folder: str) -> None:
    """Checks that all processes share a folder; all call this together, each with its own path.

    Raises:
      ValueError: in all of them, if one does not see in it what process 0 writes there.
    """
    if jax.process_count() == 1:
        return
    number = multihost_utils.broadcast_one_to_all(np.array(secrets.randbits(31), np.int32))
    mark = epath.Path(folder) / f".shared-{int(number):08x}"
    first = jax.process_index() == 0
    if first:
        mark.write_text("Do all processes see this file?")
    try:
        multihost_utils.sync_global_devices("mark written")
        seen = multihost_utils.process_allgather(np.array(_appears(mark)))
    finally:
        if first:
            mark.unlink()
    if not seen.all():
        others = ", ".join(map(str, np.flatnonzero(~seen)))
        raise ValueError(
            f"What process 0 writes into its --workdir (here: {folder}) is not seen by process "
            f"{others}; give one that all hosts share, or a bucket."
        )


def _appears(path: epath.Path) -> bool:
    """Tells whether a file is there; network file systems may take seconds to show it."""
    for _ in range(20):
        with contextlib.suppress(OSError):
            if path.exists():
                return True
        time.sleep(0.5)
    return False


def print_once(message: str) -> None:
    """Prints a line, once for all processes."""
    if jax.process_index() == 0:
        print(message, flush=True)


def _connect(cluster: Cluster, timeout: float) -> None:
    # It would swallow SIGTERM; `training.signals` agrees on it among processes.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        # JAX's own limits are for the case that the signs of life cannot be read.
        limits = ("heartbeat_timeout_seconds", "shutdown_timeout_seconds")
        options: dict[str, Any] = vars(cluster) | dict.fromkeys(limits, round(4 * timeout))
        jax.distributed.initialize(**options)
    except ValueError as error:
        if cluster.coordinator_address is not None:
            raise
        raise ValueError(
            "No TPU pod, Slurm, GKE or Open MPI was found to say where the processes meet; give "
            f"{', '.join(vars(cluster))} ({error})"
        ) from None


class _Life:
    """This process's signs of life, and its watch over the others', in a thread."""

    def __init__(self, timeout: float):
        self._pause = timeout / _ROUNDS
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="signs of life", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        number, still = 0, dict.fromkeys(range(global_state.num_processes), 0)
        last: dict[int, str] = {}
        store: Any = global_state.client
        while not self._left.wait(self._pause):
            number += 1
            try:
                _write(str(number))
                words = dict(store.key_value_dir_get(_FOLDER))
            except Exception as error:  # RPC errors have no type of their own
                _stop(f"process 0, which all depend on, is lost ({_first_line(error)})")
            for process in still:
                word = words.get(f"{_FOLDER}/{process}", "")
                if word.startswith(_FAILED):
                    _stop(f"process {process} {word}")
                still[process] = still[process] + 1 if last.get(process) == word else 0
                last[process] = word
                if still[process] > _ROUNDS and word != _DONE:
                    silence = f"no sign of life for {_ROUNDS * self._pause:.0f} s"
                    _stop(f"process {process} is lost, {silence}")

    def leave(self) -> None:
        """Waits until all leave."""
        self._left.set()
        self._thread.join()
        _write(_DONE)
        jax.distributed.shutdown()

    def fail(self, error: BaseException) -> None:
        """Ends this process, and the others a round later."""
        if isinstance(error, jax.errors.JaxRuntimeError) or "Gloo" in str(error):
            # Most likely the other end is lost, and the watch will say which.
            time.sleep((_ROUNDS + 3) * self._pause)
        _stopping.acquire()  # if the watch is at it, this thread has nothing to add
        if isinstance(error, SystemExit):
            print(error.code, file=sys.stderr, flush=True)
        elif isinstance(error, KeyboardInterrupt):
            print("Stopped by SIGINT.", file=sys.stderr, flush=True)
        else:
            traceback.print_exception(error)
        self._left.set()
        self._thread.join(2 * self._pause)
        with contextlib.suppress(Exception):
            _write(_FAILED + _first_line(error))
            time.sleep(2 * self._pause)
        exit_now(128 + signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1)


def _write(word: str) -> None:
    store: Any = global_state.client
    store.key_value_set(f"{_FOLDER}/{global_state.process_id}", word, allow_overwrite=True)


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _stop(reason: str) -> None:
    """Ends this process, wherever its main thread waits."""
    _stopping.acquire()  # for good: a second thread to come here waits for the end
    who = f"Process {global_state.process_id} of {global_state.num_processes}"
    remedy = "Run the same command on every host again to continue from the last checkpoint."
    os.write(2, f"\n{who} stops: {reason}. {remedy}\n".encode())
    if global_state.process_id == 0:
        time.sleep(3)  # for the others to read the same before their service is gone
    exit_now(LOST)


def _end_readably_on_abort() -> None:
    """Says why on one line where JAX aborts in C++, as it does when process 0 dies."""

    @ctypes.CFUNCTYPE(None, ctypes.c_int)
    def handler(_: int) -> None:
        _stop("JAX gave up on the other processes, as a rule because process 0 is lost")

    _handlers.append(handler)
    ctypes.CDLL(None).signal(signal.SIGABRT, handler)
