"""ArrayRecord shards written by `experiments.prepare`: each record holds an image file's bytes."""

import json
import os
import pathlib
from typing import Any

import numpy as np
from array_record.python.array_record_data_source import ArrayRecordDataSource

from data_pipelines.decoding import UnusableImageError, decode
from data_pipelines.sources.records import fingerprint

# As written by `preparation.manifest`.
MANIFEST = "manifest.json"
FORMAT, VERSION = "agarnet-images", 1
_REMEDY = "prepare the folder again (python -m experiments.prepare --overwrite)"


def is_prepared(folder: str | os.PathLike[str]) -> bool:
    """Returns whether a folder holds prepared shards rather than image files."""
    return (pathlib.Path(folder) / MANIFEST).is_file()


class ShardRecords:
    """The records of a prepared folder, in the order of its manifest."""

    left_out = 0

    def __init__(self, folder: str | os.PathLike[str], *, min_side: int = 1):
        """
        Raises:
          ValueError: the manifest is damaged; a shard is missing, has no index or does not match
            the manifest; or the smallest image is smaller than `min_side`.
        """
        name = os.fspath(folder)
        self._folder = pathlib.Path(folder)
        manifest = _read_manifest(self._folder / MANIFEST)
        if manifest["min_side"] < min_side:
            raise ValueError(
                f"Prepared folder {name!r} has images of {manifest['min_side']} pixels a side, but "
                f"{min_side} are needed; prepare it with --min_side={min_side}, or use smaller "
                "crops."
            )
        self._shards = manifest["shards"]
        self.fingerprint = fingerprint(shard["sha256"] for shard in self._shards)
        for shard in self._shards:
            _check_size(self._folder / shard["name"], shard["bytes"])
        try:
            self._records = ArrayRecordDataSource(
                [str(self._folder / shard["name"]) for shard in self._shards]
            )
        except RuntimeError as error:
            problem = str(error).splitlines()[0]
            raise ValueError(f"A shard of {name!r} is damaged ({problem}); {_REMEDY}.") from error
        if len(self._records) != manifest["records"]:
            raise ValueError(
                f"The shards of {name!r} hold {len(self._records)} records, but the manifest lists "
                f"{manifest['records']}; {_REMEDY}."
            )

    def __len__(self) -> int:
        return len(self._records)

    def name(self, index: int) -> str:
        for shard in self._shards:
            if index < shard["records"]:
                break
            index -= shard["records"]
        return f"record {index} of {self._folder / shard['name']}"

    def read(self, index: int) -> np.ndarray:
        return decode(read_record(self._records, index))


def read_record(records: Any, index: int) -> Any:
    """Reads a record from an ArrayRecord data source.

    Raises:
      UnusableImageError: the record is damaged.
    """
    try:
        return records[index]
    except (RuntimeError, ValueError, OSError) as error:
        raise UnusableImageError(f"damaged record: {str(error).splitlines()[0]}") from error


def _read_manifest(path: pathlib.Path) -> dict:
    try:
        manifest = json.loads(path.read_text())
        is_known = (manifest["format"], manifest["version"]) == (FORMAT, VERSION)
        entries = manifest["shards"], manifest["records"], manifest["min_side"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"Manifest {str(path)!r} is damaged ({error!r}); {_REMEDY}.") from error
    if not is_known or not all(entries):
        raise ValueError(f"Manifest {str(path)!r} has another format or is empty; {_REMEDY}.")
    return manifest


def _check_size(path: pathlib.Path, expected: int) -> None:
    actual = path.stat().st_size if path.is_file() else None
    if actual != expected:
        found = "is missing" if actual is None else f"has {actual} bytes"
        raise ValueError(
            f"Shard {str(path)!r} {found}; the manifest lists {expected} bytes; {_REMEDY}."
        )
