"""Images that are replaced whole or not at all, and kept under a second name before."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import BinaryIO

from agarnet_jax import atomic_files
from agarnet_jax.restoration.files.errors import InputError, reason, shown

BACKUP_SUFFIX = ".orig"


@contextlib.contextmanager
def atomically(
    path: pathlib.Path, *, before_replacing: Callable[[], object] | None = None
) -> Iterator[BinaryIO]:
    """`atomic_files.replacing`, with errors for the user.

    Raises:
      InputError: it cannot be written.
    """
    try:
        with atomic_files.replacing(path, before=before_replacing) as file:
            yield file
    except OSError as error:
        raise InputError(
            f"{shown(path)} cannot be written: {reason(error)}; nothing was changed."
        ) from None
    except ValueError as error:
        raise InputError(f"{shown(path)} cannot be written: {reason(error)}.") from None


def back_up(path: pathlib.Path) -> pathlib.Path:
    """A second name for a file that is about to be replaced; no earlier backup is touched.

    Raises:
      InputError: its folder cannot be written.
    """
    for number in range(1000):
        backup = _backup(path, number)
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


def has_backup(path: pathlib.Path) -> bool:
    """Whether `back_up` has kept an earlier file of this name."""
    return os.path.lexists(_backup(path, 0))


def _backup(path: pathlib.Path, number: int) -> pathlib.Path:
    return path.with_name(f"{path.name}{BACKUP_SUFFIX}{number or ''}")


def _second_name(path: pathlib.Path, backup: pathlib.Path) -> None:
    try:
        os.link(path, backup)
    except FileExistsError:
        raise
    except OSError:  # the file system has no second names
        backup.touch(0o600, exist_ok=False)  # now the name is ours
        try:
            with open(path, "rb") as original, atomic_files.replacing(backup) as copy:
                shutil.copyfileobj(original, copy)
        except BaseException:
            backup.unlink()
            raise
        shutil.copystat(path, backup)
