"""What the images of a folder are called."""

import collections
import os
import pathlib
from collections.abc import Sequence


def image_names(paths: Sequence[str], *, folder: str | os.PathLike[str]) -> list[str]:
    """Names images as briefly as keeps them apart: by stem, else folders too, then suffix too."""
    relative = [pathlib.Path(path).relative_to(folder) for path in paths]
    forms = [
        [path.stem for path in relative],
        [path.with_suffix("").as_posix() for path in relative],
        [path.as_posix() for path in relative],
    ]
    counts = [collections.Counter(form) for form in forms]
    return [
        next(name for name, count in zip(of_path, counts) if count[name] == 1)
        for of_path in zip(*forms)
    ]
