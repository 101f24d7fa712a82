"""Atomic file writes: a file is written completely or not at all."""

import contextlib
import errno
import os
import pathlib
import secrets
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

_unfinished: set[str] = set()  # paths of temporary files
_creation_lock = threading.Lock()


class UnwritableError(OSError):
    """Raised when a destination cannot be written; the one-line message names it and the reason."""


def check_file(path: str | os.PathLike) -> None:
    """Checks that `write` can write a file, before its contents are computed.

    Raises:
      UnwritableError: it cannot.
    """
    with _user_errors(path, "; name another file"):
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        _stat_existing(path)
        _check_writable(pathlib.Path(path).parent)


def check_folder(path: str | os.PathLike) -> None:
    """Checks that a folder can be created or, if it exists, written into; creates nothing.

    Raises:
      UnwritableError: it cannot.
    """
    folder = pathlib.Path(path)
    with _user_errors(path, "; name another folder"):
        _check_writable(next(parent for parent in (folder, *folder.parents) if parent.exists()))


def _check_writable(folder: pathlib.Path) -> None:
    with tempfile.TemporaryFile(dir=folder):
        pass


def _stat_existing(path: str | os.PathLike) -> os.stat_result | None:
    """Returns the status of the file that a new one will replace; None if there is none.

    Raises:
      OSError: it is a device or pipe, which must not be replaced.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise OSError("it is a device or pipe")
    return status


@contextlib.contextmanager
def _user_errors(path: str | os.PathLike, remedy: str = "") -> Iterator[None]:
    """Turns errors of the operating system into messages for the user."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UnwritableError(f"{os.fspath(path)!r} cannot be written: {reason}{remedy}.") from None


@contextlib.contextmanager
def replacing(
    path: pathlib.Path, *, before_replacing: Callable[[], object] | None = None
) -> Iterator[BinaryIO]:
    """Opens a temporary file that replaces `path` when the block ends, or is deleted on an error.

    The new file has the permissions of the file that it replaces and, as far as the process may set
    them, its group and owner.

    Args:
      path: a file in an existing folder.
      before_replacing: called when the new file is complete and `path` is still the old one.

    Raises:
      OSError: the file cannot be written, or `path` is a device or pipe.
    """
    old = _stat_existing(path)
    temporary = str(path.parent / f".agarnet-{os.getpid()}-{secrets.token_hex(4)}.part")
    with _creation_lock:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        _unfinished.add(temporary)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if old is not None:
                with contextlib.suppress(OSError, AttributeError):  # Windows has no owners
                    os.chown(temporary, -1, old.st_gid)  # any group of the user
                    os.chown(temporary, old.st_uid, -1)  # as root
                # Set before any contents: whoever may not read the old file may not read the new.
                os.chmod(temporary, stat.S_IMODE(old.st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        if before_replacing is not None:
            before_replacing()
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        _unfinished.discard(temporary)


def write(path: str | os.PathLike, contents: bytes) -> None:
    """Writes a file atomically, replacing an existing one.

    Raises:
      UnwritableError: it cannot be written.
    """
    with _user_errors(path), replacing(pathlib.Path(path)) as file:
        file.write(contents)


def abandon() -> None:
    """Deletes the unfinished files of all threads and blocks them from creating new ones.

    For a process that then exits without waiting for its threads.
    """
    _creation_lock.acquire()
    for temporary in tuple(_unfinished):
        with contextlib.suppress(OSError):
            os.unlink(temporary)
