"""Random access to the image files below a folder."""

import concurrent.futures
import dataclasses
import logging
import os
from collections.abc import Callable

import numpy as np

from data_pipelines import decoding
from data_pipelines.decoding import UnreachableImageError, UnusableImageError, image_size
from data_pipelines.sources import header_cache
from data_pipelines.sources.images import too_small_message
from data_pipelines.sources.records import fingerprint

_log = logging.getLogger(__name__)
_READERS = 16  # threads that read headers, since each read waits on network storage


@dataclasses.dataclass(frozen=True)
class Header:
    """Metadata of a file, read without decoding it; `problem` is empty if it is an image."""

    size: int
    mtime_ns: int
    height: int = 0
    width: int = 0
    problem: str = ""


class FolderRecords:
    """Images below a folder, recursively, in the order of their paths.

    Headers are cached in the user's cache folder and read again only for files whose size or
    modification time has changed. A file that is not an image, or is smaller than `min_side`, is
    named in the log and in `problems`, with the reason by path, and gets no index; so is a folder
    that cannot be listed. Links to folders are not followed.
    """

    def __init__(self, folder: str | os.PathLike[str], *, min_side: int = 1):
        """
        Raises:
          FileNotFoundError: `folder` is not a directory.
          ValueError: `folder` contains no usable image.
        """
        self.folder = folder = os.fspath(folder)
        if not os.path.isdir(folder):
            raise FileNotFoundError(f"Image folder {folder!r} is not a directory.")
        unlisted: list[OSError] = []
        headers = _read_headers(folder, find_images(folder, on_error=unlisted.append))
        self.problems = {
            f"{error.filename}": f"unreadable: {error.strerror}" for error in unlisted
        } | {
            path: header.problem or too_small_message((header.height, header.width), min_side)
            for path, header in headers.items()
            if header.problem or min(header.height, header.width) < min_side
        }
        for path, problem in self.problems.items():
            _log.warning("Skipping %s: %s", path, problem)
        usable = {path: header for path, header in headers.items() if path not in self.problems}
        self.paths = list(usable)
        self.fingerprint = fingerprint(
            f"{_relative(path, folder)} {header.size} {header.height} {header.width}"
            for path, header in usable.items()
        )
        self.left_out = len(self.problems)
        if not self.paths:
            raise ValueError(
                f"Image folder {folder!r} holds no image of at least {min_side} pixels a side "
                f"({', '.join(decoding.IMAGE_SUFFIXES)}; {self.left_out} files skipped)."
            )

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        return self.paths[index]

    def read(self, index: int) -> np.ndarray:
        return decoding.decode(self.paths[index])


def find_images(
    folder: str | os.PathLike[str], *, on_error: Callable[[OSError], object] | None = None
) -> list[str]:
    """Returns the paths below `folder` that have an image suffix, sorted.

    `on_error` is called for each folder that cannot be listed; by default, errors are ignored.
    """
    return sorted(
        os.path.join(parent, name)
        for parent, _, names in os.walk(os.fspath(folder), onerror=on_error)
        for name in names
        if name.lower().endswith(decoding.IMAGE_SUFFIXES)
    )


def _relative(path: str, folder: str) -> str:
    """Returns a path of `find_images(folder)` relative to the folder, however that is given."""
    return path.removeprefix(os.path.join(folder, ""))


def _read_headers(folder: str, paths: list[str]) -> dict[str, Header]:
    """Returns the header of each file: from the cache if the file is unchanged, otherwise read."""
    cached = header_cache.load(folder, Header)

    def get_header(path: str) -> Header:
        try:
            status = os.stat(path)
        except OSError as error:  # a dangling link, or deleted after the listing
            return _uncacheable(f"unreadable: {error.strerror}")
        known = cached.get(_relative(path, folder))
        if known and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
            return known
        return _read_header(path, status)

    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        headers = dict(zip(paths, pool.map(get_header, paths)))
    current = {_relative(path, folder): header for path, header in headers.items()}
    if current != cached:
        header_cache.save(folder, {name: dataclasses.astuple(h) for name, h in current.items()})
    return headers


def _uncacheable(problem: str) -> Header:
    """Returns a header with an impossible size, so that the next start reads the file again."""
    return Header(-1, -1, problem=problem)


def _read_header(path: str, status: os.stat_result) -> Header:
    try:
        height, width = image_size(path)
    except UnreachableImageError as error:
        return _uncacheable(f"{error}")
    except UnusableImageError as error:
        return Header(status.st_size, status.st_mtime_ns, problem=str(error))
    return Header(status.st_size, status.st_mtime_ns, height, width)
