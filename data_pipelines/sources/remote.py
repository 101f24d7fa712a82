"""Local copies of remote folders: `gs://BUCKET/FOLDER` and other URLs that fsspec reads.

Training reads images in random order, thousands per second, for which object stores are unsuited;
so a remote folder is copied once, before it is read. `AGARNET_DATA_CACHE` names the folder of the
copies, by default `~/.cache/agarnet-jax/data`.
"""

import concurrent.futures
import contextlib
import hashlib
import json
import logging
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import fsspec

from agarnet_jax import atomic_files, file_lock
from agarnet_jax.user_cache import cache_folder

CACHE_VARIABLE = "AGARNET_DATA_CACHE"
# One line [name, version] per fetched file, from which the next run resumes after a kill.
_INDEX = ".fetched.jsonl"
_UNFINISHED, _ABANDONED_SECONDS = ".fetching-", 24 * 3600
_LOCK, _STALL_SECONDS = ".fetching.lock", 600.0  # without another file fetched
_CONNECTIONS = 16
_log = logging.getLogger(__name__)


def local_copy(url: str) -> str:
    """Copies the files below a URL to a local folder and returns its path.

    Several processes may call this at once: one fetches while the others wait. Files are fetched if
    they are new or changed, and deleted locally if they are gone from the store.

    Raises:
      ModuleNotFoundError: no installed package reads such a URL.
      FileNotFoundError: there is no file below the URL.
      ValueError: the store does not respond, a name is not a valid file path, there is no folder
        for the copies, or its disk is too full. Files fetched before are not fetched again.
    """
    store, files = _list_files(url)
    cache = cache_folder(CACHE_VARIABLE, "data")
    if cache is None:
        raise ValueError(
            f"{url} must be copied, but there is no cache folder; set {CACHE_VARIABLE} to a folder."
        )
    folder = cache / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:32]
    folder.mkdir(parents=True, exist_ok=True)
    with _exclusive_fetch(folder, url=url):
        _fetch(store, files, folder=folder, url=url)
    return os.fspath(folder)


def _list_files(url: str) -> tuple[Any, dict[str, Any]]:
    """Returns the file system of a URL and fsspec's info on each file below it, by file name."""
    try:
        store, root = fsspec.core.url_to_fs(url)
        listing = store.find(root, detail=True)
    except ImportError as error:
        raise ModuleNotFoundError(
            f"{url} needs a package that is not installed ({error}); for gs:// run "
            "pip install 'agarnet-jax[gcs]'."
        ) from error
    except Exception as error:  # each store has its own exceptions
        raise ValueError(
            f"{url} cannot be listed ({error}); check its name, the network and the credentials."
        ) from error
    by_name = {path[len(root.rstrip("/")) + 1 :]: info for path, info in listing.items()}
    files = {name: info for name, info in by_name.items() if info.get("size") and name}
    if not files:
        raise FileNotFoundError(f"{url} does not exist or holds no file.")
    for name in files:
        # Object stores accept any name, and two names may denote the same path.
        if not {"", ".", ".."}.isdisjoint(name.split("/")):
            raise ValueError(f"{url} holds {name!r}, which is not a valid path; rename the object.")
    return store, files


@contextlib.contextmanager
def _exclusive_fetch(folder: pathlib.Path, *, url: str) -> Iterator[None]:
    """Waits until no other process is fetching into the folder.

    Gives up on a process that makes no progress: concurrent fetches are harmless.
    """
    try:
        lock = open(folder / _LOCK, "w")  # noqa: SIM115
    except OSError:  # a read-only copy, which another user keeps up to date
        yield
        return
    with lock:
        if not file_lock.acquire(lock):
            _log.warning("Waiting for another process that is fetching %s into %s.", url, folder)
            previous = None
            while not file_lock.acquire(lock, timeout=_STALL_SECONDS):
                fetched = _read_index(folder)
                if fetched == previous:
                    _log.warning("The other process makes no progress; fetching in this one.")
                    break
                previous = fetched
        yield


def _fetch(store: Any, files: dict[str, Any], *, folder: pathlib.Path, url: str) -> None:
    fetched = _read_index(folder)
    versions = {name: _version(info) for name, info in files.items()}
    missing = [
        name
        for name, version in versions.items()
        if fetched.get(name) != version or not (folder / name).is_file()
    ]
    for name in fetched.keys() - versions.keys():
        (folder / name).unlink(missing_ok=True)
    _delete_abandoned(folder)
    needed, free = sum(files[name]["size"] for name in missing), shutil.disk_usage(folder).free
    if needed > free:
        raise ValueError(
            f"{url} has {needed / 2**30:.1f} GiB to fetch into {folder}, where only "
            f"{free / 2**30:.1f} GiB are free; set {CACHE_VARIABLE} to a larger disk."
        )
    if missing:
        _log.warning("Fetching %d files, %.2f GiB, from %s.", len(missing), needed / 2**30, url)

    def fetch(name: str) -> None:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=_UNFINISHED) as temporary:
            part = os.path.join(temporary, "part")
            store.get_file(files[name]["name"], part)
            os.replace(part, target)
        with open(folder / _INDEX, "a") as index:
            index.write(_line(name, versions[name]))

    try:
        with concurrent.futures.ThreadPoolExecutor(_CONNECTIONS) as pool:
            list(pool.map(fetch, missing))
    except Exception as error:  # as in `_list_files`
        raise ValueError(
            f"{url} cannot be fetched ({error}); the same command resumes where this one stopped."
        ) from error
    if missing or fetched.keys() - versions.keys():
        _write_index(folder, versions)


def _delete_abandoned(folder: pathlib.Path) -> None:
    """Deletes partial files of runs that were killed long ago."""
    for unfinished in folder.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(FileNotFoundError):  # another process has just finished it
            if time.time() - unfinished.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(unfinished)


def _version(info: dict[str, Any]) -> list[str]:
    """Returns size and change stamp of a file; each store names the stamp differently."""
    stamps = (
        info.get(key) for key in ("etag", "ETag", "generation", "md5Hash", "mtime", "created")
    )
    return [f"{info['size']}", next((f"{stamp}" for stamp in stamps if stamp), "")]


def _read_index(folder: pathlib.Path) -> dict[str, list[str]]:
    fetched = {}
    with contextlib.suppress(FileNotFoundError):
        for line in (folder / _INDEX).read_text().splitlines():
            with contextlib.suppress(ValueError):  # a killed run's incomplete last line
                name, version = json.loads(line)
                fetched[name] = version
    return fetched


def _line(name: str, version: list[str]) -> str:
    return f"{json.dumps([name, version])}\n"


def _write_index(folder: pathlib.Path, versions: dict[str, list[str]]) -> None:
    lines = (_line(name, version) for name, version in versions.items())
    atomic_files.write(folder / _INDEX, "".join(lines).encode())
