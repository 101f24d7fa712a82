"""Scores that were computed before, found by all that they depend on."""

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

_COMPUTED_BY = (agarnet_jax, data_pipelines, evaluating)


class Cache:
    """A folder with one small file for each image, degradation and method; None keeps nothing.

    Keys are plain values that say all that a score depends on, except for code, libraries and
    devices: scores of others count as none. A file appears whole or not at all, and one that
    cannot be read counts as none, so a run may be killed at any time.
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
        """
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
        whole = {"computed by": _computed_by(), **key}
        name = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
        return self._folder / name[:2] / f"{name[2:]}.json"


@functools.cache
def _computed_by() -> str:
    """Digests what scores depend on besides their key: source files, libraries, devices."""
    folders = [pathlib.Path(folder) for package in _COMPUTED_BY for folder in package.__path__]
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    beside = environment.versions(), environment.devices()
    return digest(*(file.read_bytes() for file in files), *map(str.encode, beside))


def digest(*parts: bytes) -> str:
    """Returns the SHA-256 of all parts in order."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(f"{len(part)}:".encode())
        whole.update(part)
    return whole.hexdigest()
