"""Finds the files to restore, and names their outputs."""

import dataclasses
import itertools
import os
import pathlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

from agarnet_jax.restoration.files.errors import reason
from agarnet_jax.restoration.files.formats import SUFFIXES

_MAX_NAME_BYTES = 255  # on all common file systems


@dataclasses.dataclass(frozen=True)
class Found:
    """An input file, or a folder that could not be searched.

    relative: the path within the given folder; for a given file, its name.
    problem: why the folder could not be searched; None for files.
    """

    path: pathlib.Path
    relative: pathlib.Path
    problem: str | None = None


def find(
    inputs: Sequence[pathlib.Path], *, recursive: bool, excluding: Sequence[pathlib.Path] = ()
) -> Iterator[Found]:
    """Yields the given files and the image files in the given folders, sorted by name, each once.

    In folders, files are selected by suffix (`formats.SUFFIXES`); hidden files (with a leading dot)
    are skipped. Links are followed, but each folder is searched only once. Files are not opened, so
    given ones may not exist.

    Args:
      inputs: files and folders.
      recursive: whether to search subfolders.
      excluding: folders not to search, such as the output folder.
    """
    visited = {identity for folder in excluding if (identity := _identity(folder))}
    seen: set[str] = set()
    for path in inputs:
        is_folder = os.path.isdir(path)
        given = Found(path, pathlib.Path(path.name))
        found = _search(path, path, recursive, visited) if is_folder else [given]
        for item in found:
            real = os.path.realpath(item.path)
            if real not in seen or item.problem:
                seen.add(real)
                yield item


def _search(
    folder: pathlib.Path, top: pathlib.Path, recursive: bool, visited: set[tuple[int, int]]
) -> Iterator[Found]:
    identity = _identity(folder)
    if identity in visited:
        return
    if identity is not None:
        visited.add(identity)
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        yield Found(folder, folder.relative_to(top), f"it cannot be searched: {reason(error)}")
        return
    for name in names:
        path = folder / name
        if name.startswith("."):
            continue
        if os.path.isdir(path):
            if recursive:
                yield from _search(path, top, recursive, visited)
        elif path.suffix.lower() in SUFFIXES:
            yield Found(path, path.relative_to(top))


def _identity(folder: pathlib.Path) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class OutputNames:
    """Gives every output a unique name.

    `holiday.jpg` becomes `holiday.png`; if that is taken by another input's output, or is an input
    itself, `holiday_jpg.png`, then `holiday_jpg-2.png` and so on. Names that differ only in case or
    in Unicode normalization count as the same, since on some systems they are.
    """

    def __init__(
        self,
        *,
        ending: str,
        inputs: Iterable[pathlib.Path],
        earlier: Mapping[str, str] | None = None,
    ):
        """
        Args:
          ending: of all names, including the suffix: ".png", "_restored.png".
          inputs: files that no output may replace.
          earlier: outputs of an earlier run by input, which keep their names; absolute paths.
        """
        self._ending, self._earlier = ending, earlier or {}
        self._inputs = {_fold(os.path.realpath(path)) for path in inputs}
        self._taken = {canonical(output) for output in self._earlier.values()}
        # Shared by inputs of the same name, so that each candidate is tried once.
        self._candidates: dict[pathlib.Path, Iterator[pathlib.Path]] = {}

    def output(self, source: pathlib.Path, *, folder: pathlib.Path) -> pathlib.Path:
        """Returns the path of an input's output in a folder."""
        earlier = self._earlier.get(os.path.abspath(source))
        if earlier is not None and earlier.endswith(self._ending):
            output = folder / pathlib.Path(earlier).name
            if os.path.abspath(output) == earlier and not self._is_input(output):
                return output
        candidates = self._candidates.setdefault(folder / source.name, self._paths(source, folder))
        return next(filter(self._take, candidates))

    def _take(self, output: pathlib.Path) -> bool:
        if canonical(output) in self._taken or self._is_input(output):
            return False
        self._taken.add(canonical(output))
        return True

    def _is_input(self, output: pathlib.Path) -> bool:
        return _fold(os.path.realpath(output)) in self._inputs

    def _paths(self, source: pathlib.Path, folder: pathlib.Path) -> Iterator[pathlib.Path]:
        kind = source.suffix.removeprefix(".")
        yield folder / fitting_name(source.stem, self._ending)
        yield folder / fitting_name(source.stem, f"_{kind}{self._ending}")
        for number in itertools.count(2):
            yield folder / fitting_name(source.stem, f"_{kind}-{number}{self._ending}")


def fitting_name(stem: str, ending: str) -> str:
    """Returns `stem` + `ending`, with the stem shortened to what file systems allow."""
    while stem and len(os.fsencode(stem + ending)) > _MAX_NAME_BYTES:
        stem = stem[:-1]
    return stem + ending


def canonical(path: str | os.PathLike[str]) -> str:
    """Returns the same string for all spellings of one directory entry.

    Links in its folder's path are resolved; case and Unicode normalization are ignored.
    """
    folder, name = os.path.split(path)
    return _fold(os.path.join(os.path.realpath(folder), name))


def _fold(path: str) -> str:
    """Returns the same string for paths that macOS and Windows file systems do not distinguish."""
    return unicodedata.normalize("NFC", path).casefold()
