"""File access through Beam's file systems: local, gs:// and any others installed."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator

from data_pipelines.preparation.quiet_beam import CompressionTypes, FileSystems


@dataclasses.dataclass(frozen=True)
class InputFile:
    path: str  # relative to the input folder, with /
    bytes: int
    modified: float  # seconds since 1970; 0 if the file system does not report it


@dataclasses.dataclass(frozen=True)
class Listing:
    """The input files, sorted by path."""

    files: tuple[InputFile, ...]

    def to_lines(self) -> bytes:
        """Returns a JSON line for each file, for `read_listing`."""
        return "".join(json.dumps(dataclasses.astuple(file)) + "\n" for file in self.files).encode()

    def summary(self) -> dict[str, int | str]:
        """Returns the number of files and bytes, and a digest of paths, sizes and times.

        A rerun recognizes an unchanged input by this summary.
        """
        return {
            "files": len(self.files),
            "bytes": sum(file.bytes for file in self.files),
            "fingerprint": hashlib.sha256(self.to_lines()).hexdigest(),
        }


def is_local(path: str) -> bool:
    return FileSystems.get_scheme(path) is None


def resolve(folder: str, role: str) -> str:
    """Returns the folder without a trailing slash, and as a real path if it is local.

    Args:
      folder: a local path or a URL.
      role: what the folder is for, such as "Input"; messages start with it.

    Raises:
      ValueError: the folder is empty, has a scheme without an installed file system, or contains
        wildcards.
    """
    if not folder:
        raise ValueError(f"{role} folder is empty; give its path.")
    if any(wildcard in folder for wildcard in "*?["):
        # Beam's file systems treat these as patterns and cannot escape them.
        raise ValueError(f"{role} folder {folder!r} contains one of *?[; rename or link it.")
    FileSystems.get_filesystem(folder)
    return os.path.realpath(folder) if is_local(folder) else folder.rstrip("/")


def list_files(folder: str) -> Listing:
    """Lists all files below a folder; links to folders are not followed.

    Raises:
      FileNotFoundError: the folder does not exist or holds no file.
      OSError: a folder below it cannot be listed, or a link is dangling.
    """
    if is_local(folder) and not os.path.isdir(folder):
        raise FileNotFoundError(f"Input folder {folder!r} is not a directory.")
    listing = _list_local(folder) if is_local(folder) else _list_remote(folder)
    files = tuple(sorted(listing, key=lambda file: file.path))
    if not files:
        raise FileNotFoundError(f"Input folder {folder!r} does not exist or holds no file.")
    return Listing(files)


def _list_local(folder: str) -> Iterator[InputFile]:
    # Beam would silently leave out what it is not permitted to list.
    def fail(error: OSError) -> None:
        raise error

    try:
        for parent, _, names in os.walk(folder, onerror=fail):
            for path in (os.path.join(parent, name) for name in names):
                status = os.stat(path)
                yield InputFile(os.path.relpath(path, folder), status.st_size, status.st_mtime)
    except OSError as error:
        raise OSError(
            f"Input {error.filename!r} cannot be read ({error.strerror}); make it readable or "
            "move it away."
        ) from error


def _list_remote(folder: str) -> Iterator[InputFile]:
    for file in FileSystems.match([f"{folder}/**"])[0].metadata_list:
        if not file.path.endswith("/"):  # an object store's placeholder for a folder
            path = file.path[len(folder) + 1 :]
            yield InputFile(path, file.size_in_bytes, file.last_updated_in_seconds)


def is_device_or_pipe(path: str) -> bool:
    """Returns whether a path is local but not a regular file, so that reading it may block."""
    return is_local(path) and os.path.exists(path) and not os.path.isfile(path)


def read(path: str) -> bytes:
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        return file.read()


def write(path: str, content: bytes) -> None:
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        file.write(content)


def upload(local: str, path: str) -> str:
    """Copies a local file to `path` and returns its SHA-256."""
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
    """Returns the size in bytes of each file that matches the pattern, by path."""
    return {file.path: file.size_in_bytes for file in FileSystems.match([pattern])[0].metadata_list}


def delete(paths: list[str]) -> None:
    """Deletes existing files or local folders."""
    if paths:
        FileSystems.delete(paths)


def delete_folders(parent: str, prefix: str) -> None:
    """Deletes the direct subfolders of `parent` whose names start with `prefix`, recursively."""
    if is_local(parent):
        # Listed directly: a pattern would match files, but not empty folders.
        names = os.listdir(parent) if os.path.isdir(parent) else []
        delete([f"{parent}/{name}" for name in names if name.startswith(prefix)])
    else:
        delete(list(sizes(f"{parent}/{prefix}*/**")))


def read_listing(path: str) -> Iterator[InputFile]:
    """Reads `Listing.to_lines` from a file, which keeps the listing out of the pipeline graph."""
    for line in read(path).splitlines():
        yield InputFile(*json.loads(line))
