"""Which files to restore, and what their outputs are called."""

import dataclasses
import itertools
import os
import pathlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

from agarnet_jax.restoration.files.errors import reason
from agarnet_jax.restoration.files.formats import SUFFIXES

_LONGEST_NAME = 255  # bytes, of every common file system


@dataclasses.dataclass(frozen=True)
class Found:
    """An input, and where it lies in the folder that was given (a file's name, if one was).

    problem: why a folder could not be searched; then this is the folder.
    """

    path: pathlib.Path
    relative: pathlib.Path
    problem: str | None = None


def find(
    inputs: Sequence[pathlib.Path], *, recursive: bool, apart_from: Sequence[pathlib.Path] = ()
) -> Iterator[Found]:
    """Files as they are given, and the image files of folders, sorted by name, each once.

    In folders, files count whose suffix is one of ours; hidden ones (of a leading dot) do not.
    Links are followed, to a folder only once. Nothing is opened, so files may not exist.

    Args:
      inputs: files and folders.
      recursive: whether folders in folders are searched.
      apart_from: folders that are not searched, such as the output's.
    """
    visited = {identity for folder in apart_from if (identity := _identity(folder))}
    seen: set[str] = set()
    for path in inputs:
        is_folder = os.path.isdir(path)
        found = _search(path, path, recursive, visited) if is_folder else [_given(path)]
        for item in found:
            real = os.path.realpath(item.path)
            if real not in seen or item.problem:
                seen.add(real)
                yield item


def _given(path: pathlib.Path) -> Found:
    return Found(path, pathlib.Path(path.name))


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


class Names:
    """Gives every output a name of its own.

    `holiday.jpg` becomes `holiday.png`; where that is taken by another input of the run, or is
    one, `holiday_jpg.png`, then `holiday_jpg-2.png` and so on. Names that differ only in upper and
    lower case, or in how accents are composed, count as the same, since on some systems they are.
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
          ending: of all names, with the suffix: ".png", "_restored.png".
          inputs: files no output may replace.
          earlier: by input, the output of an earlier run, which it keeps; absolute paths.
        """
        self._ending, self._earlier = ending, earlier or {}
        self._inputs = {_folded(os.path.realpath(path)) for path in inputs}
        self._taken = {place(output) for output in self._earlier.values()}
        self._untried: dict[pathlib.Path, Iterator[pathlib.Path]] = {}  # of inputs of one name

    def output(self, source: pathlib.Path, *, folder: pathlib.Path) -> pathlib.Path:
        """The output of an input in a folder."""
        earlier = self._earlier.get(os.path.abspath(source))
        if earlier is not None and earlier.endswith(self._ending):
            output = folder / pathlib.Path(earlier).name
            if os.path.abspath(output) == earlier and not self._is_input(output):
                return output
        untried = (folder / name for name in self._candidates(source))
        return next(filter(self._take, self._untried.setdefault(folder / source.name, untried)))

    def _take(self, output: pathlib.Path) -> bool:
        if place(output) in self._taken or self._is_input(output):
            return False
        self._taken.add(place(output))
        return True

    def _is_input(self, output: pathlib.Path) -> bool:
        return _folded(os.path.realpath(output)) in self._inputs

    def _candidates(self, source: pathlib.Path) -> Iterator[str]:
        kind = source.suffix.removeprefix(".")
        yield fitting_name(source.stem, self._ending)
        yield fitting_name(source.stem, f"_{kind}{self._ending}")
        for number in itertools.count(2):
            yield fitting_name(source.stem, f"_{kind}-{number}{self._ending}")


def fitting_name(stem: str, ending: str) -> str:
    """`stem` + `ending`, the stem shortened where a file system would not take the name."""
    while stem and len(os.fsencode(stem + ending)) > _LONGEST_NAME:
        stem = stem[:-1]
    return stem + ending


def place(path: str | os.PathLike[str]) -> str:
    """The same for all names of one directory entry: whatever links lead to its folder, in upper
    or lower case, composed or not."""
    folder, name = os.path.split(path)
    return _folded(os.path.join(os.path.realpath(folder), name))


def _folded(path: str) -> str:
    """The same for paths that some file systems (of macOS, Windows) do not tell apart."""
    return unicodedata.normalize("NFC", path).casefold()
