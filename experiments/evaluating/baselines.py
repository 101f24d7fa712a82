"""Images that another tool restored, to score beside ours."""

import collections
import dataclasses
import functools
import pathlib

import numpy as np

from data_pipelines.decoding import UnusableImageError, decode
from data_pipelines.sources.folder import find_images
from experiments.evaluating.names import image_names
from experiments.evaluating.suites import Case

_EXAMPLES = 3


class BaselineError(ValueError):
    """An image that cannot be compared: `kind` says why, the same for all alike; `what` which."""

    def __init__(self, kind: str, what: str):
        super().__init__(f"{kind}: {what}")
        self.kind, self.what = kind, what


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A folder of restored images, found by their names (`image_names`).

    Those of a case are in FOLDER/SET/CASE or FOLDER/CASE; where a run has `only_case`, perhaps
    in FOLDER/SET or FOLDER itself, whose own folders may then be other cases.
    """

    name: str
    folder: pathlib.Path
    only_case: bool

    def image(self, case: Case, name: str, *, like: np.ndarray) -> np.ndarray:
        """Reads the image of a case, uint8 of the shape of `like`.

        Raises:
          BaselineError: there is none, it cannot be read, or is of another size.
        """
        where = f"{case.images}/{case.folder}/{name}"
        files = self._files(case)
        if files is None:
            raise BaselineError("has no folder for", f"{case.images}/{case.folder}")
        if not set(files) & {name}:
            raise BaselineError("has no image named", where)
        try:
            image = decode(files[name])
        except (UnusableImageError, OSError) as error:
            raise BaselineError(f"cannot be read ({error})", where) from None
        if like.ndim == 2 and image.ndim == 3 and (image == image[..., :1]).all():
            image = image[..., 0]  # gray, saved as colour
        if image.shape != like.shape:
            sizes = " against ".join("×".join(map(str, side.shape)) for side in (image, like))
            raise BaselineError("is of another size than the reference", f"{where} ({sizes})")
        return image

    def try_image(self, case: Case, name: str, *, like: np.ndarray) -> np.ndarray | None:
        """Returns what `image` returns, or None where it raises."""
        try:
            return self.image(case, name, like=like)
        except BaselineError:
            return None

    def _files(self, case: Case) -> dict[str, str] | None:
        own = self.folder / case.images
        for place in (own / case.folder, self.folder / case.folder):
            if place.is_dir():
                return _by_name(place)
        for place in (own, self.folder) if self.only_case else ():
            if here := _by_name(place, deep=False):
                return here
        return None


@functools.cache  # asked for every image
def _by_name(place: pathlib.Path, *, deep: bool = True) -> dict[str, str]:
    """Finds the images in a folder by name, with `deep` also those in folders inside it."""
    paths = [path for path in find_images(place) if deep or pathlib.Path(path).parent == place]
    return dict(zip(image_names(paths, folder=place), paths))


def parse(text: str, *, flag: str) -> tuple[str, str]:
    """Splits NAME=PLACE of a flag.

    Raises:
      ValueError: it is not of this form.
    """
    name, separator, place = text.partition("=")
    if not (name and separator and place):
        raise ValueError(f"--{flag}={text} is not of the form NAME=PLACE, such as mine=FOLDER.")
    return name, place


def open_baseline(text: str, *, only_case: bool) -> Baseline:
    """Opens a flag's NAME=FOLDER; raises ValueError if there is no such folder."""
    name, place = parse(text, flag="baseline")
    if not pathlib.Path(place).is_dir():
        raise ValueError(f"--baseline={text}: {place!r} is not a folder.")
    return Baseline(name, pathlib.Path(place), only_case)


def in_words(name: str, errors: list[BaselineError]) -> list[str]:
    """Describes errors, one line for each kind."""
    by_kind: dict[str, list[str]] = collections.defaultdict(list)
    for error in errors:
        if error.what not in by_kind[error.kind]:
            by_kind[error.kind].append(error.what)
    return [
        f"Baseline {name} {kind}: {', '.join(sorted(what)[:_EXAMPLES])}"
        f"{f' and {len(what) - _EXAMPLES} more' if len(what) > _EXAMPLES else ''}; its mean is "
        "left out there."
        for kind, what in by_kind.items()
    ]
