"""Files through Beam's file systems: local ones, gs:// and what else is installed."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator

from data_pipelines.preparation.quiet_beam import CompressionTypes, FileSystems


@dataclasses.dataclass(frozen=True)
class InputFile:
    path: str  # below the input, with /
    bytes: int
    modified: float  # seconds since 1970; 0 where the file system does not tell


@dataclasses.dataclass(frozen=True)
class Listing:
    """The files of the input, sorted by path."""

    files: tuple[InputFile, ...]

    def summary(self) -> dict[str, int | str]:
        """Counts files and bytes; digests paths, sizes and times, by which a rerun knows them."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(json.dumps(dataclasses.astuple(file)).encode() + b"\n")
        return {
            "files": len(self.files),
            "bytes": sum(file.bytes for file in self.files),
            "fingerprint": digest.hexdigest(),
        }


def is_local(path: str) -> bool:
    return FileSystems.get_scheme(path) is None


def resolve(folder: str, what: str) -> str:
    """Returns the folder without trailing slash, and absolute if it is local.

    Raises:
      ValueError: empty, a scheme that no file system is installed for, or a glob.
    """
    if not folder:
        raise ValueError(f"{what} folder is empty; give its path.")
    if any(sign in folder for sign in "*?["):
        # Beam's file systems take them for patterns, and have no way to quote them.
        raise ValueError(f"{what} folder {folder!r} contains one of *?[; rename or link it.")
    FileSystems.get_filesystem(folder)
    return os.path.realpath(folder) if is_local(folder) else folder.rstrip("/")


def list_files(folder: str) -> Listing:
    """Lists all files below a folder; links to folders are not followed.

    Raises:
      FileNotFoundError: there is no such folder, or no file in it.
      OSError: a folder below it cannot be listed, or a link leads nowhere.
    """
    if is_local(folder) and not os.path.isdir(folder):
        raise FileNotFoundError(f"Input folder {folder!r} is not a directory.")
    found = (_local_files if is_local(folder) else _stored_files)(folder)
    files = tuple(sorted(found, key=lambda file: file.path))
    if not files:
        raise FileNotFoundError(f"Input folder {folder!r} does not exist or holds no file.")
    return Listing(files)


def _local_files(folder: str) -> Iterator[InputFile]:
    # Beam would leave out, without a word, what the system does not let it see.
    def stop(error: OSError) -> None:
        raise error

    try:
        for parent, _, names in os.walk(folder, onerror=stop):
            for path in (os.path.join(parent, name) for name in names):
                status = os.stat(path)
                yield InputFile(os.path.relpath(path, folder), status.st_size, status.st_mtime)
    except OSError as error:
        raise OSError(
            f"Input {error.filename!r} cannot be read ({error.strerror}); make it readable, or "
            "move it away."
        ) from error


def _stored_files(folder: str) -> Iterator[InputFile]:
    for file in FileSystems.match([f"{folder}/**"])[0].metadata_list:
        if not file.path.endswith("/"):  # an object store's stand-in for a folder
            path = file.path[len(folder) + 1 :]
            yield InputFile(path, file.size_in_bytes, file.last_updated_in_seconds)


def is_device_or_pipe(path: str) -> bool:
    """Tells whether a path is local and no file, so that reading it may never end."""
    return is_local(path) and os.path.exists(path) and not os.path.isfile(path)


def read(path: str) -> bytes:
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        return file.read()


def write(path: str, content: bytes) -> None:
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        file.write(content)


def upload(local: str, path: str) -> str:
    """Copies a local file; returns its SHA-256."""
    digest = hashlib.sha256()
    with (
        open(local, "rb") as source,
        FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as target,
    ):
        while block := source.read(2**20):
            digest.update(block)
            target.write(block)
    return digest.hexdigest()


def sizes(pattern: str) -> dict[str, int]:
    """Maps the path of each file that matches to its size in bytes."""
    return {file.path: file.size_in_bytes for file in FileSystems.match([pattern])[0].metadata_list}


def delete(paths: list[str]) -> None:
    """Deletes files that exist."""
    if paths:
        FileSystems.delete(paths)


def delete_folders(parent: str, prefix: str) -> None:
    """Deletes the folders right below `parent` whose names start with `prefix`, and all in them."""
    if is_local(parent):
        # Named by hand, since a pattern finds files, but not a folder that is already empty.
        names = os.listdir(parent) if os.path.isdir(parent) else []
        delete([f"{parent}/{name}" for name in names if name.startswith(prefix)])
    else:
        delete(list(sizes(f"{parent}/{prefix}*/**")))


def write_listing(path: str, listing: Listing) -> None:
    """Writes a listing for `read_listing`, so that the pipeline's graph need not hold it."""
    lines = (json.dumps(dataclasses.astuple(file)) + "\n" for file in listing.files)
    write(path, "".join(lines).encode())


def read_listing(path: str) -> Iterator[InputFile]:
    for line in read(path).splitlines():
        yield InputFile(*json.loads(line))
