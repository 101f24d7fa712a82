"""Reads the authors' TensorFlow 1 checkpoints as weights; needs TensorFlow (extra `convert`).

The release has two folders (`AGARNET.md` §7), each with a checkpoint of the V2 saver: `NAME.index`,
one or more files `NAME.data-…`, and the file `checkpoint`, which contains NAME.
"""

import pathlib
import re
from collections.abc import Iterable
from types import ModuleType

import numpy as np

from agarnet_jax.convert import released
from agarnet_jax.weights import Weights

RESTORER_FOLDER, ESTIMATOR_FOLDER = "reconstruction", "regression"


def released_weights(checkpoint_dir: str | pathlib.Path) -> Weights:
    """Reads the weights in `checkpoint_dir`, which contains `reconstruction/` and `regression/`.

    The restorer's width f is inferred from the arrays. Other variables that training saves, such as
    the optimizer's, are ignored.

    Raises:
      ValueError: the folders are not those of the release; the message lists all problems.
      ModuleNotFoundError: TensorFlow is not installed.
    """
    tensorflow = _import_tensorflow()
    problems: list[str] = []
    variables: dict[str, dict[str, np.ndarray] | None] = {}
    for name, scopes in (
        (RESTORER_FOLDER, released.RESTORER_SCOPES),
        (ESTIMATOR_FOLDER, released.ESTIMATOR_SCOPES),
    ):
        variables[name] = None
        folder = pathlib.Path(checkpoint_dir) / name
        try:
            variables[name] = _read(tensorflow, _find_checkpoint(folder), scopes)
        except OSError as error:
            problems.append(f"{folder}: {error}")
    return released.released_weights(
        restorer=variables[RESTORER_FOLDER],
        estimator=variables[ESTIMATOR_FOLDER],
        problems=problems,
    )


def _import_tensorflow() -> ModuleType:
    try:
        import tensorflow
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Reading the authors' checkpoints needs TensorFlow: pip install 'agarnet-jax[convert]'."
        ) from error
    return tensorflow


def _find_checkpoint(folder: pathlib.Path) -> pathlib.Path:
    """Finds a folder's checkpoint, named in its file `checkpoint` or its only one: `FOLDER/NAME`.

    Only the last part of the path in `checkpoint` is used: the path may be that of another machine.
    """
    if not folder.is_dir():
        raise FileNotFoundError("no such folder")
    found = sorted(path.with_suffix("") for path in folder.glob("*.index"))
    state = folder / "checkpoint"
    stated = re.search(
        r'^model_checkpoint_path: "(?:.*[/\\])?([^/\\"]+)"',
        state.read_text() if state.is_file() else "",
        re.MULTILINE,
    )
    if stated and folder / stated[1] in found:
        return folder / stated[1]
    if len(found) == 1:
        return found[0]
    if not found:
        raise FileNotFoundError("no checkpoint in it (NAME.index, NAME.data-00000-of-00001)")
    names = ", ".join(path.name for path in found)
    raise FileNotFoundError(
        f"several checkpoints, and no file `checkpoint` that names one of them: {names}"
    )


def _read(
    tensorflow: ModuleType, checkpoint: pathlib.Path, scopes: Iterable[str]
) -> dict[str, np.ndarray]:
    """Reads the network's variables: those in `scopes`, without the optimizer's.

    An optimizer's variables are named after the network's: "VARIABLE/…".
    """
    try:
        reader = tensorflow.train.load_checkpoint(str(checkpoint))
        names = set(reader.get_variable_to_shape_map())
        return {
            name: reader.get_tensor(name)
            for name in sorted(names)
            if name.split("/")[0] in scopes and not _parent_names(name) & names
        }
    # TensorFlow translates its errors to Python's, some of them depending on the message.
    except (tensorflow.errors.OpError, IndexError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise OSError(f"{checkpoint.name} cannot be read ({reason}); copy it again") from error


def _parent_names(name: str) -> set[str]:
    parts = name.split("/")
    return {"/".join(parts[:count]) for count in range(1, len(parts))}
