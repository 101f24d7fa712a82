"""What was learned about a folder's files, kept in the user's cache folder between runs.

`AGARNET_FOLDER_CACHE` names another place or says "off". Losing it costs time, never correctness.
"""

import hashlib
import json
import logging
import os
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

from data_pipelines.sources.user_cache import cache_folder

CACHE_VARIABLE = "AGARNET_FOLDER_CACHE"
_VERSION = 1
_log = logging.getLogger(__name__)


def load(folder: str) -> dict[str, Any]:
    """What `save` was last given for this folder; empty if nothing usable is there."""
    path = _path(folder)
    try:
        content = json.loads(path.read_text()) if path else {}
        return content["files"] if content.get("version") == _VERSION else {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        _log.warning("Reading %s anew, its manifest %s is damaged: %s", folder, path, error)
        return {}


def save(folder: str, files: Mapping[str, Any]) -> None:
    """Replaces the folder's entry in one step; does nothing where the cache cannot be written."""
    path = _path(folder)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump({"version": _VERSION, "files": files}, file)
        os.replace(file.name, path)
    except OSError as error:
        _log.info("The manifest of %s is not kept: %s", folder, error)


def _path(folder: str) -> pathlib.Path | None:
    if os.environ.get(CACHE_VARIABLE) == "off":
        return None
    place = cache_folder(CACHE_VARIABLE, "folders")
    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
    return place / f"{name}.json"
