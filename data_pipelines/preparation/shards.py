"""Writes a shard to a local file, checks it, and uploads it to the staging folder."""

import dataclasses
import os
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator

from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter

from data_pipelines.decoding import decode
from data_pipelines.preparation import files
from data_pipelines.preparation.images import Failed, Kept, sha256
from data_pipelines.preparation.options import PrepareOptions
from data_pipelines.preparation.tiles import encode_png, tiles

_SHARD_BYTES = 256 * 2**20


@dataclasses.dataclass(frozen=True)
class Shard:
    """A complete shard."""

    name: str  # once it is published
    staged: str  # path until then
    images: int
    records: int
    pixels: int
    min_side: int  # smallest over its records; 0 if it has none
    bytes: int
    sha256: str


class FailedFileError(Exception):
    """Raised when a file cannot be packed; `failed` names it and the reason."""

    def __init__(self, failed: Failed):
        super().__init__(failed.reason)
        self.failed = failed


def shard_name(index: int, shards: int) -> str:
    return f"images-{index:05d}-of-{shards:05d}.array_record"


def estimated_bytes(image: Kept, options: PrepareOptions) -> int:
    """Estimates the bytes of an image in a shard."""
    # PNG tiles of photographs took 58 % of the bytes of their raw pixels.
    raw = image.height * image.width * image.channels
    return raw * 3 // 5 if options.tile else image.bytes


def shard_count(total_bytes: int, options: PrepareOptions) -> int:
    return options.shards or max(1, -(-total_bytes // _SHARD_BYTES))


def write_shard(
    name: str,
    images: Iterable[Kept],
    *,
    folder: str,
    staging: str,
    options: PrepareOptions,
    on_image: Callable[[], None],
) -> Shard:
    """Packs images of `folder` into a shard in `staging`, ordered by the digests of their pixels.

    Each attempt gets a new staged name, so that an abandoned attempt cannot interfere with a retry.

    Raises:
      FailedFileError: a file can no longer be read, or has changed since it was verified.
      OSError: the shard could not be written.
    """
    # In a local staging folder, the next run deletes what a killed process leaves behind.
    scratch = staging if files.is_local(staging) else None
    with tempfile.TemporaryDirectory(dir=scratch) as local_folder:
        path = os.path.join(local_folder, name)
        writer = ArrayRecordWriter(path, "group_size:1")
        packed = records = pixels = 0
        min_side = None
        for image in sorted(images, key=lambda image: image.pixel_sha256):
            for record, height, width in _records(image, folder, options):
                writer.write(record)
                records += 1
                pixels += height * width
                side = min(height, width)
                min_side = side if min_side is None else min(side, min_side)
            packed += 1
            on_image()
        writer.close()
        _check(path, records)
        staged = f"{staging}/{uuid.uuid4().hex}"
        digest = files.upload(path, staged)
        size = os.path.getsize(path)
    return Shard(name, staged, packed, records, pixels, min_side or 0, size, digest)


def _records(image: Kept, folder: str, options: PrepareOptions) -> Iterator[tuple[bytes, int, int]]:
    """Yields bytes, height and width of each record of an image."""
    try:
        content = files.read(f"{folder}/{image.path}")
    except OSError as error:
        raise FailedFileError(Failed(image.path, f"cannot be read again: {error}")) from error
    if sha256(content) != image.file_sha256:
        raise FailedFileError(Failed(image.path, "changed while it was being prepared"))
    if not options.tile:
        yield content, image.height, image.width
        return
    for tile in tiles(decode(content), tile=options.tile, min_side=options.min_side):
        yield encode_png(tile), tile.shape[0], tile.shape[1]


def _check(path: str, records: int) -> None:
    """Reads the index back, since the writer does not raise every error."""
    reader = ArrayRecordReader(path)
    found = reader.num_records() if reader.ok() else "no index"
    reader.close()
    if found != records:
        raise OSError(
            f"Shard {path!r} was written incompletely: expected {records} records, found {found}."
        )
