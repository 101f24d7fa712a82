"""Files that are written whole or not at all."""

import contextlib
import os
import pathlib
import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

_unfinished: set[str] = set()
_beginning = threading.Lock()


@contextlib.contextmanager
def replacing(
    path: pathlib.Path, *, before: Callable[[], object] | None = None
) -> Iterator[BinaryIO]:
    """A new file beside `path` that takes its name when the block ends, or else is gone.

    It has the permissions of the file that it replaces.

    Args:
      path: in an existing folder.
      before: called when the new file is complete, and `path` still the old one.

    Raises:
      OSError: it cannot be written.
    """
    temporary = str(path.parent / f".agarnet-{os.getpid()}-{secrets.token_hex(4)}.part")
    with _beginning:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        _unfinished.add(temporary)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with contextlib.suppress(FileNotFoundError):
                # Who may not read the old file may not read the new one.
                os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
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
      OSError: it cannot be written; names `path`.
    """
    try:
        with replacing(pathlib.Path(path)) as file:
            file.write(contents)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


def abandon() -> None:
    """Deletes what all threads are writing, and lets them begin nothing more.

    For a process that then ends without waiting for them.
    """
    _beginning.acquire()
    for temporary in tuple(_unfinished):
        with contextlib.suppress(OSError):
            os.unlink(temporary)
