"""The image files below a folder."""

import concurrent.futures
import dataclasses
import logging
import os
from collections.abc import Callable

import numpy as np

from data_pipelines import decoding
from data_pipelines.decoding import UnreachableImageError, UnusableImageError, image_size
from data_pipelines.sources import manifest_cache
from data_pipelines.sources.images import too_small
from data_pipelines.sources.records import fingerprint

_log = logging.getLogger(__name__)
_READERS = 16  # threads that read headers: on network storage each waits


@dataclasses.dataclass(frozen=True)
class Header:
    """What is known of a file without decoding it; `problem` is empty for an image."""

    size: int
    mtime_ns: int
    height: int = 0
    width: int = 0
    problem: str = ""


class FolderRecords:
    """Images below a folder, recursively, in the order of their paths.

    Headers are read once: they are kept in the user's cache folder and read again only for files
    whose size or modification time changed. A file that is no image, or smaller than `min_side`,
    is named in the log, counted in `left_out` and has no number; likewise a folder that cannot be
    listed. Links to folders are not followed.
    """

    def __init__(self, folder: str | os.PathLike[str], *, min_side: int = 1):
        """
        Raises:
          FileNotFoundError: `folder` is not a directory.
          ValueError: it holds no usable image.
        """
        self.folder = folder = os.fspath(folder)
        if not os.path.isdir(folder):
            raise FileNotFoundError(f"Image folder {folder!r} is not a directory.")
        unlisted: list[OSError] = []
        headers = _headers(folder, find_images(folder, on_error=unlisted.append))
        problems = {f"{error.filename}": f"unreadable: {error.strerror}" for error in unlisted} | {
            path: header.problem or too_small((header.height, header.width), min_side)
            for path, header in headers.items()
            if header.problem or min(header.height, header.width) < min_side
        }
        for path, problem in problems.items():
            _log.warning("Skipping %s: %s", path, problem)
        usable = {path: header for path, header in headers.items() if path not in problems}
        self.paths = list(usable)
        self.fingerprint = fingerprint(
            f"{_below(folder, path)} {header.size} {header.height} {header.width}"
            for path, header in usable.items()
        )
        self.left_out = len(problems)
        if not self.paths:
            raise ValueError(
                f"Image folder {folder!r} holds no image of at least {min_side} pixels a side "
                f"({', '.join(decoding.IMAGE_SUFFIXES)}; {self.left_out} files left out)."
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
    """Finds paths with an image suffix below `folder`, in a stable order.

    `on_error` is told of folders that cannot be listed, by default nobody.
    """
    return sorted(
        os.path.join(parent, name)
        for parent, _, names in os.walk(os.fspath(folder), onerror=on_error)
        for name in names
        if name.lower().endswith(decoding.IMAGE_SUFFIXES)
    )


def _below(folder: str, path: str) -> str:
    """Returns what follows the folder, however that is given, in a path of `find_images`."""
    return path.removeprefix(os.path.join(folder, ""))


def _headers(folder: str, paths: list[str]) -> dict[str, Header]:
    """Reads the header of each file, from the cache while the file is unchanged."""
    known = manifest_cache.load(folder, Header)

    def header(path: str) -> Header:
        try:
            status = os.stat(path)
        except OSError as error:  # a dangling link, or gone since it was listed
            return _unknown(f"unreadable: {error.strerror}")
        cached = known.get(_below(folder, path))
        if cached and (cached.size, cached.mtime_ns) == (status.st_size, status.st_mtime_ns):
            return cached
        return _read_header(path, status)

    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        headers = dict(zip(paths, pool.map(header, paths)))
    read = {_below(folder, path): header for path, header in headers.items()}
    if read != known:
        manifest_cache.save(folder, {name: dataclasses.astuple(h) for name, h in read.items()})
    return headers


def _unknown(problem: str) -> Header:
    """Makes a header of a size that no file has, so that the next start reads the file again."""
    return Header(-1, -1, problem=problem)


def _read_header(path: str, status: os.stat_result) -> Header:
    try:
        height, width = image_size(path)
    except UnreachableImageError as error:
        return _unknown(f"{error}")
    except UnusableImageError as error:
        return Header(status.st_size, status.st_mtime_ns, problem=str(error))
    return Header(status.st_size, status.st_mtime_ns, height, width)
