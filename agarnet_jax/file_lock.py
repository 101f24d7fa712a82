"""Locks on files among processes; the lock of one that ends, or is killed, is gone."""

import time
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def taken(file: IO, *, within: float = 0) -> bool:
    """Takes the lock on an open file, until that is closed, unless another has it.

    Args:
      file: open for writing; some network file systems lock no others.
      within: seconds to wait for the other; one that was stopped, or hangs, may never give it back.

    Returns:
      Whether nobody else has it. Where there are no locks, as on Windows, it is always so.
    """
    until = time.monotonic() + within
    while not _is_ours(file):
        if time.monotonic() >= until:
            return False
        time.sleep(0.1)
    return True


def _is_ours(file: IO) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network file system without locks
        pass
    return True
