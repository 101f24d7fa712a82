"""Where a study is kept: a SQLite file, a journal file, or a database server."""

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
# A worker that misses this many heartbeats is taken for dead.
HEARTBEATS_MISSED = 5
_SQLITE_WAIT = 60  # seconds for the lock that another worker holds
_TRIES = 20


def open_storage(
    where: str, *, heartbeat: int, retries: int, create: bool = True
) -> optuna.storages.BaseStorage:
    """Opens a storage.

    Args:
      where: a file for SQLite, `journal:FILE`, or a database URL of SQLAlchemy.
      heartbeat: seconds between signs of life of a worker; databases only.
      retries: how often a trial whose worker died is begun again; databases only.
      create: whether to make a file that is not there.

    Raises:
      ValueError: it cannot be opened.
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
    for _ in range(_TRIES):
        try:
            return _open_database(url, heartbeat=heartbeat, retries=retries)
        except sqlalchemy.exc.DBAPIError as error:
            if not _is_race(error):
                reason = f"{error.orig}".splitlines()[0]
                raise ValueError(f"--storage={_shown(url)} cannot be opened: {reason}.") from error
            time.sleep(0.5)
        except ImportError as error:
            raise ValueError(
                f"--storage={_shown(url)} needs a driver: {error.__cause__}. Install it, or name "
                "another in the URL, such as postgresql+psycopg2:// or mysql+pymysql://."
            ) from error
        except sqlalchemy.exc.ArgumentError as error:
            raise ValueError(
                f"--storage={_shown(where)} is no database URL ({error}); give FILE, journal:FILE, "
                "postgresql://USER@HOST/NAME or mysql://USER@HOST/NAME."
            ) from error
    raise ValueError(f"--storage={_shown(url)} stayed locked by other workers; try again.")


def _open_database(url: str, *, heartbeat: int, retries: int) -> RDBStorage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return RDBStorage(
            url,
            engine_kwargs=(
                {"connect_args": {"timeout": _SQLITE_WAIT}} if url.startswith(SQLITE) else {}
            ),
            heartbeat_interval=heartbeat,
            grace_period=HEARTBEATS_MISSED * heartbeat,
            # What was reported before stays reported; see `trials`.
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(
                max_retry=retries, inherit_intermediate_values=True
            ),
        )


def _is_race(error: sqlalchemy.exc.DBAPIError) -> bool:
    """Tells whether another worker was making the same tables at the same moment."""
    message = f"{error.orig}"
    return isinstance(error, sqlalchemy.exc.IntegrityError) or any(
        sign in message for sign in ("already exists", "database is locked", "Duplicate")
    )


def _check_file(path: str, *, create: bool) -> None:
    file = pathlib.Path(path)
    if not create and not file.is_file():
        raise ValueError(f"There is no study in {path}: no such file.")
    if not file.parent.is_dir():
        raise ValueError(f"--storage={path} cannot be made: there is no folder {file.parent}.")


def _shown(url: str) -> str:
    """Returns a URL without its password, even if it is no proper URL."""
    return re.sub(r":[^/@]*@", ":***@", url)
