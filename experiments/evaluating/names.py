"""Short, unique names for the images of a folder."""

import collections
import os
import pathlib
from collections.abc import Sequence


def image_names(paths: Sequence[str], *, folder: str | os.PathLike[str]) -> list[str]:
    """Returns each image's shortest unique name: stem, relative path without suffix, or with it."""
    relative = [pathlib.Path(path).relative_to(folder) for path in paths]
    forms = [
        [path.stem for path in relative],
        [path.with_suffix("").as_posix() for path in relative],
        [path.as_posix() for path in relative],
    ]
    counts = [collections.Counter(form) for form in forms]
    return [
        next(name for name, count in zip(candidates, counts) if count[name] == 1)
        for candidates in zip(*forms)
    ]
