"""Files that are replaced whole or not at all, and kept under a second name before."""

import contextlib
import os
import pathlib
import secrets
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

from agarnet_jax.restoration.errors import InputError, reason, shown

PREFIX = ".agarnet-"  # of the names of unfinished files
BACKUP_SUFFIX = ".orig"

_unfinished: set[str] = set()
_beginning = threading.Lock()


@contextlib.contextmanager
def atomically(
    path: pathlib.Path, *, before_replacing: Callable[[], object] | None = None
) -> Iterator[BinaryIO]:
    """A new file beside `path` that takes its name when the block ends, or else is gone.

    It has the permissions of the file that it replaces.

    Args:
      path: in an existing folder.
      before_replacing: called when the new file is complete, and `path` still the old one.

    Raises:
      InputError: it cannot be written.
    """
    temporary = str(path.parent / f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
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
            if before_replacing is not None:
                before_replacing()
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        finally:
            _unfinished.discard(temporary)
    except OSError as error:
        raise InputError(
            f"{shown(path)} cannot be written: {reason(error)}; nothing was changed."
        ) from None
    except ValueError as error:
        raise InputError(f"{shown(path)} cannot be written: {reason(error)}.") from None


def abandon() -> None:
    """Deletes what all threads are writing, and lets them begin nothing more.

    For a process that then ends without waiting for them.
    """
    _beginning.acquire()
    for temporary in tuple(_unfinished):
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def back_up(path: pathlib.Path) -> pathlib.Path:
    """A second name for a file that is about to be replaced; no earlier backup is touched.

    Raises:
      InputError: its folder cannot be written.
    """
    for number in range(1000):
        backup = path.with_name(f"{path.name}{BACKUP_SUFFIX}{number or ''}")
        try:
            if not os.path.lexists(backup):
                _second_name(path, backup)
                return backup
        except FileExistsError:
            continue
        except OSError as error:
            raise InputError(
                f"{shown(path)} cannot be kept as {shown(backup)}: {reason(error)}."
            ) from None
    raise InputError(f"{shown(path)} has a thousand backups; remove some.")


def _second_name(path: pathlib.Path, backup: pathlib.Path) -> None:
    try:
        os.link(path, backup)
    except FileExistsError:
        raise
    except OSError:  # the file system has no second names
        shutil.copy2(path, backup)
