"""What was learned about a folder's files, kept in the user's cache folder between runs.

`AGARNET_FOLDER_CACHE` names another place or says "off". Losing it costs time, never correctness.
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
    """Loads what `save` was last given for this folder, as an `entry` of each file's fields.

    It is empty if nothing usable is there.
    """
    path = _path(folder)
    try:
        content = json.loads(path.read_text()) if path else {}
        files = content["files"] if content.get("version") == _VERSION else {}
        return {name: entry(*fields) for name, fields in files.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("Reading %s anew, its manifest %s is damaged: %s", folder, path, error)
        return {}


def save(folder: str, files: Mapping[str, tuple[Any, ...]]) -> None:
    """Replaces the folder's entry in one step; does nothing where the cache cannot be written.

    Files go by their paths below the folder, which may be given otherwise the next time.
    """
    path = _path(folder)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.write(path, json.dumps({"version": _VERSION, "files": files}).encode())
    except OSError as error:
        _log.info("The manifest of %s is not kept: %s", folder, error)


def _path(folder: str) -> pathlib.Path | None:
    place = cache_folder(CACHE_VARIABLE, "folders")
    if place is None:
        return None
    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
    return place / f"{name}.json"
