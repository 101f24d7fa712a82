"""Advisory file locks between processes, released when their holder ends or is killed."""

import time
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def acquire(file: IO, *, timeout: float = 0) -> bool:
    """Acquires an exclusive lock on an open file; closing the file releases it.

    Args:
      file: open for writing; some network file systems lock no others.
      timeout: seconds to wait for another holder, which may hang and never release the lock.

    Returns:
      False if another process, or another open file of this one, holds the lock. Always True where
      locks are not supported, as on Windows.
    """
    deadline = time.monotonic() + timeout
    while not _try_acquire(file):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)
    return True


def _try_acquire(file: IO) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network file system without locks
        pass
    return True
