"""The manifest of an output folder, and the publication of a finished set of shards."""

import collections
import dataclasses
import json
import re
from typing import Any

from data_pipelines.preparation import files
from data_pipelines.preparation.files import Listing
from data_pipelines.preparation.images import Skipped
from data_pipelines.preparation.options import PrepareOptions
from data_pipelines.preparation.quiet_beam import FileSystems
from data_pipelines.preparation.shards import Shard
from data_pipelines.sources.shards import FORMAT, MANIFEST, VERSION

_SHARD_NAME = re.compile(r".*/images-\d{5,}-of-\d{5,}\.array_record")


def make(
    listing: Listing, options: PrepareOptions, shards: list[Shard], skipped: list[Skipped]
) -> dict[str, Any]:
    """Returns the manifest, which depends only on input and options: no times, no local paths."""
    kinds = collections.Counter(file.kind for file in skipped)
    return {
        "format": FORMAT,
        "version": VERSION,
        "records": sum(shard.records for shard in shards),
        "images": sum(shard.images for shard in shards),
        "pixels": sum(shard.pixels for shard in shards),
        "min_side": min((shard.min_side for shard in shards if shard.records), default=0),
        "options": dataclasses.asdict(options),
        "shards": [
            {
                "name": shard.name,
                "records": shard.records,
                "bytes": shard.bytes,
                "sha256": shard.sha256,
            }
            for shard in shards
        ],
        "input": listing.summary(),
        "skipped": {kind: kinds[kind] for kind in sorted(kinds)},
        "skipped_files": [
            {"path": file.path, "reason": file.reason}
            for file in sorted(skipped, key=lambda file: file.path)
        ],
    }


def read(folder: str) -> dict[str, Any] | None:
    """Reads a folder's manifest; returns {} if it is damaged, None if there is none."""
    path = f"{folder}/{MANIFEST}"
    if not FileSystems.exists(path):
        return None
    try:
        manifest = json.loads(files.read(path))
    except ValueError:
        return {}
    return manifest if isinstance(manifest, dict) else {}


def is_current(
    manifest: dict[str, Any], folder: str, listing: Listing, options: PrepareOptions
) -> bool:
    """Returns whether a folder is complete and was made from this input with these options."""
    if manifest.get("input") != listing.summary():
        return False
    if manifest.get("options") != dataclasses.asdict(options):
        return False
    present = files.sizes(f"{folder}/images-*")
    return all(
        present.get(f"{folder}/{shard['name']}") == shard["bytes"] for shard in manifest["shards"]
    )


def publish(manifest: dict[str, Any], shards: list[Shard], *, staging: str, folder: str) -> None:
    """Moves the staged shards and then the manifest into the folder, replacing earlier ones.

    Between the first change and the last, the folder has no manifest, so that no reader sees a
    mixture of old and new shards, even if this process is killed.
    """
    staged = f"{staging}/{MANIFEST}"
    files.write(staged, (json.dumps(manifest, indent=2) + "\n").encode())
    if FileSystems.exists(f"{folder}/{MANIFEST}"):
        files.delete([f"{folder}/{MANIFEST}"])
    names = [f"{folder}/{shard.name}" for shard in shards]
    FileSystems.rename([shard.staged for shard in shards], names)
    present = [path for path in files.sizes(f"{folder}/images-*") if _SHARD_NAME.fullmatch(path)]
    files.delete(sorted(set(present) - set(names)))
    FileSystems.rename([staged], [f"{folder}/{MANIFEST}"])
