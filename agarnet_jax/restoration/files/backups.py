"""Backups of the files that a run in place replaces."""

import os
import pathlib
import shutil

from agarnet_jax import atomic_files
from agarnet_jax.restoration.files.errors import InputError, quoted, reason

BACKUP_SUFFIX = ".orig"
_MAX_BACKUPS = 1000


def back_up(path: pathlib.Path) -> pathlib.Path:
    """Gives a file that is about to be replaced a second name; earlier backups are kept.

    Raises:
      InputError: the backup cannot be written.
    """
    for number in range(_MAX_BACKUPS):
        backup = _backup_path(path, number)
        try:
            if not os.path.lexists(backup):
                _link_or_copy(path, backup)
                return backup
        except FileExistsError:
            continue
        except OSError as error:
            raise InputError(
                f"{quoted(path)} cannot be backed up as {quoted(backup)}: {reason(error)}; it was "
                "not changed."
            ) from None
    raise InputError(f"{quoted(path)} already has {_MAX_BACKUPS} backups; delete some of them.")


def has_backup(path: pathlib.Path) -> bool:
    """Returns whether `back_up` has kept an earlier file of this name."""
    return os.path.lexists(_backup_path(path, 0))


def _backup_path(path: pathlib.Path, number: int) -> pathlib.Path:
    return path.with_name(f"{path.name}{BACKUP_SUFFIX}{number or ''}")


def _link_or_copy(path: pathlib.Path, backup: pathlib.Path) -> None:
    try:
        os.link(path, backup)
    except FileExistsError:
        raise
    except OSError:  # the file system has no hard links
        backup.touch(0o600, exist_ok=False)  # reserves the name
        try:
            with open(path, "rb") as original, atomic_files.replacing(backup) as copy:
                shutil.copyfileobj(original, copy)
        except BaseException:
            backup.unlink()
            raise
        shutil.copystat(path, backup)
