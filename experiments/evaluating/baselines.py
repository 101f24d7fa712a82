"""Images restored by other tools, scored for comparison with ours."""

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
    """Raised when a baseline's image cannot be scored; `reason` says why, `subject` which image."""

    def __init__(self, reason: str, subject: str):
        super().__init__(f"{reason}: {subject}")
        self.reason, self.subject = reason, subject


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A folder of restored images, matched by name (`image_names`).

    The images of a case are in FOLDER/SET/CASE or FOLDER/CASE. If a run has only one case
    (`only_case`), they may also be directly in FOLDER/SET or FOLDER; subfolders of these are then
    ignored, since they may belong to other cases.
    """

    name: str
    folder: pathlib.Path
    only_case: bool

    def image(self, case: Case, name: str, *, like: np.ndarray) -> np.ndarray:
        """Reads an image of a case as uint8 with the shape of `like`.

        Raises:
          BaselineError: the image is missing, unreadable, or of a different size.
        """
        location = f"{case.images}/{case.folder}/{name}"
        files = self._find_files(case)
        if files is None:
            raise BaselineError("missing folder", f"{case.images}/{case.folder}")
        if name not in files:
            raise BaselineError("missing image", location)
        try:
            image = decode(files[name])
        except (UnusableImageError, OSError) as error:
            raise BaselineError(f"unreadable image ({error})", location) from None
        if like.ndim == 2 and image.ndim == 3 and (image == image[..., :1]).all():
            image = image[..., 0]  # gray saved as colour
        if image.shape != like.shape:
            sizes = " instead of ".join("×".join(map(str, array.shape)) for array in (image, like))
            raise BaselineError("size differs from the reference", f"{location} ({sizes})")
        return image

    def _find_files(self, case: Case) -> dict[str, str] | None:
        set_folder = self.folder / case.images
        for folder in (set_folder / case.folder, self.folder / case.folder):
            if folder.is_dir():
                return _images_by_name(folder)
        for folder in (set_folder, self.folder) if self.only_case else ():
            if images := _images_by_name(folder, recursive=False):
                return images
        return None


@functools.cache  # called for every image
def _images_by_name(folder: pathlib.Path, *, recursive: bool = True) -> dict[str, str]:
    """Returns the paths of the images in a folder by name."""
    paths = [p for p in find_images(folder) if recursive or pathlib.Path(p).parent == folder]
    return dict(zip(image_names(paths, folder=folder), paths))


def parse_named_path(text: str, *, flag: str) -> tuple[str, str]:
    """Splits a flag's NAME=PATH.

    Raises:
      ValueError: the text does not have this form.
    """
    name, separator, path = text.partition("=")
    if not (name and separator and path):
        raise ValueError(f"--{flag}={text} is not of the form NAME=PATH, such as mine=FOLDER.")
    return name, path


def open_baseline(text: str, *, only_case: bool) -> Baseline:
    """Opens the NAME=FOLDER of --baseline; raises ValueError if there is no such folder."""
    name, path = parse_named_path(text, flag="baseline")
    if not pathlib.Path(path).is_dir():
        raise ValueError(f"--baseline={text}: {path!r} is not a folder.")
    return Baseline(name, pathlib.Path(path), only_case)


def summarize_errors(name: str, errors: list[BaselineError]) -> list[str]:
    """Describes the errors of a baseline, one line per reason."""
    by_reason: dict[str, set[str]] = collections.defaultdict(set)
    for error in errors:
        by_reason[error.reason].add(error.subject)
    lines = []
    for reason, subjects in by_reason.items():
        examples = ", ".join(sorted(subjects)[:_EXAMPLES])
        if len(subjects) > _EXAMPLES:
            examples += f" and {len(subjects) - _EXAMPLES} more"
        lines.append(f"Baseline {name}: {reason}: {examples}; its mean is omitted there.")
    return lines
