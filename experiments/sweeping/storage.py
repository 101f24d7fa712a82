"""Storages of studies: a SQLite file, a journal file, or a database server."""

import pathlib
import re
import time
import warnings

import optuna
import sqlalchemy
from optuna.storages import JournalStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages.journal import JournalFileBackend

JOURNAL = "journal:"
SQLITE = "sqlite:///"
# A worker that misses this many heartbeats counts as dead.
MAX_MISSED_HEARTBEATS = 5
_SQLITE_LOCK_TIMEOUT = 60  # seconds
_MAX_ATTEMPTS = 20


def open_storage(
    where: str, *, heartbeat: int, retries: int, create: bool = True
) -> optuna.storages.BaseStorage:
    """Opens a storage.

    Args:
      where: a SQLite file, `journal:FILE`, or a database URL of SQLAlchemy.
      heartbeat: seconds between a worker's heartbeats; databases only.
      retries: how often a trial is restarted after its worker died; databases only.
      create: whether to create a missing file.

    Raises:
      ValueError: the storage cannot be opened.
    """
    if where.startswith(JOURNAL):
        path = where.removeprefix(JOURNAL)
        _check_file(path, create=create)
        try:
            return JournalStorage(JournalFileBackend(path))
        except (OSError, ValueError) as error:
            raise ValueError(f"--storage={where} cannot be opened: {error}.") from error
    url = where if "://" in where else f"{SQLITE}{where}"
    if url.startswith(SQLITE):
        _check_file(url.removeprefix(SQLITE), create=create)
    for _ in range(_MAX_ATTEMPTS):
        try:
            return _open_database(url, heartbeat=heartbeat, retries=retries)
        except sqlalchemy.exc.DBAPIError as error:
            if not _is_race(error):
                reason = f"{error.orig}".splitlines()[0]
                raise ValueError(
                    f"--storage={_hide_password(url)} cannot be opened: {reason}."
                ) from error
            time.sleep(0.5)
        except ImportError as error:
            raise ValueError(
                f"--storage={_hide_password(url)} needs a driver: {error.__cause__}. Install it "
                "or name another in the URL, such as postgresql+psycopg2:// or mysql+pymysql://."
            ) from error
        except sqlalchemy.exc.ArgumentError as error:
            raise ValueError(
                f"--storage={_hide_password(where)} is not a database URL ({error}); give FILE, "
                "journal:FILE, postgresql://USER@HOST/NAME or mysql://USER@HOST/NAME."
            ) from error
    raise ValueError(f"--storage={_hide_password(url)} is locked by other workers; try again.")


def _open_database(url: str, *, heartbeat: int, retries: int) -> RDBStorage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return RDBStorage(
            url,
            engine_kwargs=(
                {"connect_args": {"timeout": _SQLITE_LOCK_TIMEOUT}}
                if url.startswith(SQLITE)
                else {}
            ),
            heartbeat_interval=heartbeat,
            grace_period=MAX_MISSED_HEARTBEATS * heartbeat,
            # A new attempt keeps the scores reported by earlier ones; see `trials`.
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(
                max_retry=retries, inherit_intermediate_values=True
            ),
        )


def _is_race(error: sqlalchemy.exc.DBAPIError) -> bool:
    """Returns whether another worker was creating the same tables at the same time."""
    message = f"{error.orig}"
    return isinstance(error, sqlalchemy.exc.IntegrityError) or any(
        part in message for part in ("already exists", "database is locked", "Duplicate")
    )


def _check_file(path: str, *, create: bool) -> None:
    file = pathlib.Path(path)
    if not create and not file.is_file():
        raise ValueError(f"There is no study in {path}: no such file.")
    if not file.parent.is_dir():
        raise ValueError(f"--storage={path} cannot be created: there is no folder {file.parent}.")


def _hide_password(url: str) -> str:
    """Masks the password in a URL, even in a malformed one."""
    return re.sub(r":[^/@]*@", ":***@", url)
