"""Files that are written whole or not at all."""

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

_unfinished: set[str] = set()
_beginning = threading.Lock()


class UnwritableError(OSError):
    """A destination that cannot be written; the message names it and why, on one line."""


def check_file(path: str | os.PathLike) -> None:
    """Checks that `write` can make a file, before the work whose result it is to hold.

    Raises:
      UnwritableError: it cannot.
    """
    with _told(path, "; name another file"):
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        _replaced(path)
        _try(pathlib.Path(path).parent)


def check_folder(path: str | os.PathLike) -> None:
    """Checks that a folder can be made, or written into if it is there; makes nothing.

    Raises:
      UnwritableError: it cannot.
    """
    folder = pathlib.Path(path)
    with _told(path, "; name another folder"):
        _try(next(place for place in (folder, *folder.parents) if place.exists()))


def _try(folder: pathlib.Path) -> None:
    with tempfile.TemporaryFile(dir=folder):
        pass


def _replaced(path: str | os.PathLike) -> os.stat_result | None:
    """Returns the state of the file that a new one will replace, if there is one.

    Raises:
      OSError: it is no file, and would be lost.
    """
    try:
        state = os.stat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(state.st_mode) and not stat.S_ISDIR(state.st_mode):
        raise OSError("it is a device or pipe")
    return state


@contextlib.contextmanager
def _told(path: str | os.PathLike, remedy: str = "") -> Iterator[None]:
    """Puts errors of the system into words for the user."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UnwritableError(f"{os.fspath(path)!r} cannot be written: {reason}{remedy}.") from None


@contextlib.contextmanager
def replacing(
    path: pathlib.Path, *, before: Callable[[], object] | None = None
) -> Iterator[BinaryIO]:
    """A new file beside `path` that takes its name when the block ends, or else is gone.

    It has the permissions of the file that it replaces, and its group and owner where we may
    say so.

    Args:
      path: in an existing folder.
      before: called when the new file is complete, and `path` still the old one.

    Raises:
      OSError: it cannot be written, or `path` is a device or pipe.
    """
    old = _replaced(path)
    temporary = str(path.parent / f".agarnet-{os.getpid()}-{secrets.token_hex(4)}.part")
    with _beginning:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        _unfinished.add(temporary)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if old is not None:
                with contextlib.suppress(OSError, AttributeError):  # Windows has no owners
                    os.chown(temporary, -1, old.st_gid)  # any of our groups
                    os.chown(temporary, old.st_uid, -1)  # as root
                # Who may not read the old file may not read the new one.
                os.chmod(temporary, stat.S_IMODE(old.st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            before()
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        _unfinished.discard(temporary)


def write(path: str | os.PathLike, contents: bytes) -> None:
    """Writes a file; an earlier one is replaced.

    Raises:
      UnwritableError: it cannot be written.
    """
    with _told(path), replacing(pathlib.Path(path)) as file:
        file.write(contents)


def abandon() -> None:
    """Deletes what all threads are writing, and lets them begin nothing more.

    For a process that then ends without waiting for them.
    """
    _beginning.acquire()
    for temporary in tuple(_unfinished):
        with contextlib.suppress(OSError):
            os.unlink(temporary)
