"""One training at a time in a working folder."""

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import TextIO

from agarnet_jax import file_lock
from agarnet_jax.remote_paths import is_remote

_PATIENCE = 600.0  # seconds
LOCK = ".lock"  # what the file is called; it stays, the lock on it ends with its process


class InUseError(ValueError):
    """Another training writes into the folder."""


@contextlib.contextmanager
def locked(folder: str, *, wait: bool = False) -> Iterator[None]:
    """Keeps other trainings out of a folder for the length of the block, in other processes too.

    One process of a run does this for all. Nothing is kept out of buckets, nor where the file
    system or the operating system (Windows) has no such locks.

    Args:
      folder: an existing one.
      wait: waits some minutes for another training to leave before raising.

    Raises:
      InUseError: another training holds the folder; says which process, as far as it is known.
      OSError: the folder cannot be written.
    """
    if is_remote(folder):
        yield
        return
    with open(os.path.join(folder, LOCK), "a+", encoding="utf-8") as file:
        _lock(file, folder, wait=wait)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def _lock(file: TextIO, folder: str, *, wait: bool) -> None:
    if file_lock.acquire(file):
        return
    file.seek(0)
    other = f"Another training ({file.read() or 'process unknown'}) writes into {folder}"
    if not wait:
        raise InUseError(f"{other}; give this one a --workdir of its own.")
    print(f"{other}; waiting until it leaves.", flush=True)
    if not file_lock.acquire(file, timeout=_PATIENCE):
        raise InUseError(f"{other}, and does not leave; end it first.")
