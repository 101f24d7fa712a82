"""A cache of computed scores, keyed by everything they depend on."""

import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import agarnet_jax
import data_pipelines
from agarnet_jax import atomic_files
from experiments import evaluating
from experiments.evaluating import environment
from experiments.evaluating.scoring import Scores

_PACKAGES = (agarnet_jax, data_pipelines, evaluating)


class Cache:
    """A folder with one small file per image, degradation and method; without a folder, no cache.

    Keys are plain values that name everything a score depends on, except for code, libraries and
    devices, which are added here. Files are written atomically and unreadable ones are ignored, so
    a run may be killed at any time.
    """

    def __init__(self, folder: pathlib.Path | None):
        self._folder = folder

    def get(self, key: Mapping[str, Any]) -> Scores | None:
        if self._folder is None:
            return None
        try:
            content = json.loads(self._path(key).read_text())
            return Scores.from_plain(content["scores"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: Mapping[str, Any], scores: Scores) -> None:
        """Stores scores.

        Raises:
          OSError: the file cannot be written.
        """
        if self._folder is None:
            return
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"key": dict(key), "scores": dataclasses.asdict(scores)})
        atomic_files.write(path, content.encode())

    def _path(self, key: Mapping[str, Any]) -> pathlib.Path:
        assert self._folder is not None
        full_key = {"computed by": _environment_digest(), **key}
        name = hashlib.sha256(json.dumps(full_key, sort_keys=True).encode()).hexdigest()
        return self._folder / name[:2] / f"{name[2:]}.json"


@functools.cache
def _environment_digest() -> str:
    """Returns a digest of what scores depend on besides their key: code, libraries, devices."""
    folders = [pathlib.Path(folder) for package in _PACKAGES for folder in package.__path__]
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    environment_parts = environment.versions(), environment.devices()
    return digest(*(file.read_bytes() for file in files), *map(str.encode, environment_parts))


def digest(*parts: bytes) -> str:
    """Returns the SHA-256 of all parts, each prefixed with its length."""
    sha256 = hashlib.sha256()
    for part in parts:
        sha256.update(f"{len(part)}:".encode())
        sha256.update(part)
    return sha256.hexdigest()
