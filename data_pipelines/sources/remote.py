"""Folders of a bucket, as local copies: `gs://BUCKET/FOLDER` and other URLs that fsspec reads.

Training reads images at random, thousands a second, which no object store likes; so what a URL
names is fetched once, before it is read. `AGARNET_DATA_CACHE` names the place of the copies, by
default `~/.cache/agarnet-jax/data`.
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
# A line [name, version] for each file fetched: after a kill, the next run goes on from there.
_INDEX = ".fetched.jsonl"
_UNFINISHED, _ABANDONED_SECONDS = ".fetching-", 24 * 3600
_LOCK, _PATIENCE = ".fetching.lock", 600.0  # seconds without a file
_CONNECTIONS = 16
_log = logging.getLogger(__name__)


def local_copy(url: str) -> str:
    """Returns a local folder with the files below a URL.

    Several processes may ask at once: the first fetches, the others wait for it. Files are fetched
    if they are new or changed, and removed if they are gone.

    Raises:
      ModuleNotFoundError: no package here reads such a URL.
      FileNotFoundError: there is nothing below it.
      ValueError: the store does not answer, a name is no path of a folder's file, there is no place
        for copies, or too little of it. What was fetched until then is not fetched again.
    """
    try:
        store, root = fsspec.core.url_to_fs(url)
        found = store.find(root, detail=True)
    except ImportError as error:
        raise ModuleNotFoundError(
            f"{url} needs a package that is not installed ({error}); for gs:// run "
            "pip install 'agarnet-jax[gcs]'."
        ) from error
    except Exception as error:  # each store has exceptions of its own
        raise ValueError(
            f"{url} cannot be listed ({error}); check its name, the network and the credentials."
        ) from error
    below = {path[len(root.rstrip("/")) + 1 :]: info for path, info in found.items()}
    files = {name: info for name, info in below.items() if info.get("size") and name}
    if not files:
        raise FileNotFoundError(f"{url} does not exist or holds no file.")
    for name in files:
        # An object store takes any name, and two of them may be one path.
        if not {"", ".", ".."}.isdisjoint(name.split("/")):
            raise ValueError(f"{url} holds {name!r}, which is no path of a file; rename it there.")
    place = cache_folder(CACHE_VARIABLE, "data")
    if place is None:
        raise ValueError(
            f"{url} has to be copied, and there is no place for it; set {CACHE_VARIABLE} to a "
            "folder."
        )
    folder = place / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:32]
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder, url=url):
        _fetch(store, files, folder=folder, url=url)
    return os.fspath(folder)


@contextlib.contextmanager
def _one_at_a_time(folder: pathlib.Path, *, url: str) -> Iterator[None]:
    """Waits until no other process fetches into the folder.

    One that hangs is not waited for: two that fetch at once do no harm.
    """
    try:
        lock = open(folder / _LOCK, "w")  # noqa: SIM115
    except OSError:  # a copy that somebody else keeps up to date
        yield
        return
    with lock:
        if not file_lock.acquire(lock):
            _log.warning("Waiting for another process that fetches %s into %s.", url, folder)
            earlier = None
            while not file_lock.acquire(lock, timeout=_PATIENCE):
                known = _read_index(folder)
                if known == earlier:
                    _log.warning("It fetches nothing; going on without it.")
                    break
                earlier = known
        yield


def _fetch(store: Any, files: dict[str, Any], *, folder: pathlib.Path, url: str) -> None:
    known = _read_index(folder)
    versions = {name: _version(info) for name, info in files.items()}
    missing = [
        name
        for name, version in versions.items()
        if known.get(name) != version or not (folder / name).is_file()
    ]
    for name in known.keys() - versions.keys():
        (folder / name).unlink(missing_ok=True)
    for unfinished in folder.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(FileNotFoundError):  # another process is done with it
            if time.time() - unfinished.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(unfinished)
    needed, free = sum(files[name]["size"] for name in missing), shutil.disk_usage(folder).free
    if needed > free:
        raise ValueError(
            f"{url} holds {needed / 2**30:.1f} GiB that are not in {folder}, where "
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
    except Exception as error:  # as in `local_copy`
        raise ValueError(
            f"{url} cannot be fetched ({error}); the same command goes on where this one stopped."
        ) from error
    if missing or known.keys() - versions.keys():
        _write_index(folder, versions)


def _version(info: dict[str, Any]) -> list[str]:
    """Returns what differs once a file has changed; stores name it differently."""
    stamps = (
        info.get(key) for key in ("etag", "ETag", "generation", "md5Hash", "mtime", "created")
    )
    return [f"{info['size']}", next((f"{stamp}" for stamp in stamps if stamp), "")]


def _read_index(folder: pathlib.Path) -> dict[str, list[str]]:
    known = {}
    with contextlib.suppress(FileNotFoundError):
        for line in (folder / _INDEX).read_text().splitlines():
            with contextlib.suppress(ValueError):  # the last line of a killed run
                name, version = json.loads(line)
                known[name] = version
    return known


def _line(name: str, version: list[str]) -> str:
    return f"{json.dumps([name, version])}\n"


def _write_index(folder: pathlib.Path, versions: dict[str, list[str]]) -> None:
    lines = (_line(name, version) for name, version in versions.items())
    atomic_files.write(folder / _INDEX, "".join(lines).encode())
