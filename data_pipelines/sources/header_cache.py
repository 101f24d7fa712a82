"""Caches the headers of a folder's files between runs, in the user's cache folder.

`AGARNET_FOLDER_CACHE` names another folder, or is "off". A lost cache costs only time.
"""

import hashlib
import json
import logging
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from agarnet_jax import atomic_files
from agarnet_jax.user_cache import cache_folder

CACHE_VARIABLE = "AGARNET_FOLDER_CACHE"
_VERSION = 2
Entry = TypeVar("Entry")
_log = logging.getLogger(__name__)


def load(folder: str, entry: Callable[..., Entry]) -> dict[str, Entry]:
    """Returns what was last saved for this folder: an `entry` of each file's fields, by path.

    The result is empty if there is no usable cache.
    """
    path = _path(folder)
    try:
        content = json.loads(path.read_text()) if path else {}
        files = content["files"] if content.get("version") == _VERSION else {}
        return {name: entry(*fields) for name, fields in files.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("Ignoring the damaged header cache %s of %s: %s", path, folder, error)
        return {}


def save(folder: str, files: Mapping[str, tuple[Any, ...]]) -> None:
    """Replaces the folder's entry atomically; does nothing if the cache cannot be written.

    The keys of `files` are paths relative to the folder, whose own path may be given in another
    form the next time.
    """
    path = _path(folder)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.write(path, json.dumps({"version": _VERSION, "files": files}).encode())
    except OSError as error:
        _log.info("Cannot cache the headers of %s: %s", folder, error)


def _path(folder: str) -> pathlib.Path | None:
    cache = cache_folder(CACHE_VARIABLE, "folders")
    if cache is None:
        return None
    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
    return cache / f"{name}.json"
