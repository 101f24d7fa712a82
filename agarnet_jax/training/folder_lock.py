"""Allows only one training at a time to write into a working folder."""

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import TextIO

from agarnet_jax import file_lock
from agarnet_jax.remote_paths import is_remote

_WAIT_SECONDS = 600.0
LOCK = ".lock"  # name of the file, which stays; the lock on it ends with its process


class InUseError(ValueError):
    """Raised when another training writes into the folder."""


@contextlib.contextmanager
def locked(folder: str, *, wait: bool = False) -> Iterator[None]:
    """Holds a folder for one training, across processes, for the duration of the block.

    One process of a run locks for all. Buckets are not locked, nor are folders where the file
    system or the operating system (Windows) does not support locks.

    Args:
      folder: an existing folder.
      wait: waits up to ten minutes for another training to finish before raising.

    Raises:
      InUseError: another training holds the folder; names its process if known.
      OSError: the folder cannot be written.
    """
    if is_remote(folder):
        yield
        return
    with open(os.path.join(folder, LOCK), "a+", encoding="utf-8") as file:
        _acquire(file, folder, wait=wait)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def _acquire(file: TextIO, folder: str, *, wait: bool) -> None:
    if file_lock.acquire(file):
        return
    file.seek(0)
    problem = f"Another training ({file.read() or 'process unknown'}) writes into {folder}"
    if not wait:
        raise InUseError(f"{problem}; give this one a --workdir of its own.")
    print(f"{problem}; waiting for it to finish.", flush=True)
    if not file_lock.acquire(file, timeout=_WAIT_SECONDS):
        raise InUseError(f"{problem} and did not finish in {_WAIT_SECONDS:g} s; stop it first.")
