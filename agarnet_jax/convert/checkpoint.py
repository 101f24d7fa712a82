"""The authors' checkpoints as our weights: reads TensorFlow 1 files, by TensorFlow (`convert`).

The release lies in two folders (`AGARNET.md` §7), each with a checkpoint of the V2 saver: a file
`NAME.index`, one or more `NAME.data-…`, and `checkpoint`, which says what NAME is.
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
    """Reads the weights in `checkpoint_dir`, which holds `reconstruction/` and `regression/`.

    The restorer's width f is that of the arrays. What training leaves in a checkpoint besides
    the network, as optimizers do, is passed over.

    Raises:
      ValueError: not such a folder or not such networks; it lists everything that is wrong.
      ModuleNotFoundError: TensorFlow is not installed.
    """
    tensorflow = _tensorflow()
    problems: list[str] = []
    variables: dict[str, dict[str, np.ndarray] | None] = {}
    for name, scopes in (
        (RESTORER_FOLDER, released.RESTORER_SCOPES),
        (ESTIMATOR_FOLDER, released.ESTIMATOR_SCOPES),
    ):
        variables[name] = None
        folder = pathlib.Path(checkpoint_dir) / name
        try:
            variables[name] = _read(tensorflow, _checkpoint_in(folder), scopes)
        except OSError as error:
            problems.append(f"{folder}: {error}")
    return released.released_weights(
        restorer=variables[RESTORER_FOLDER],
        estimator=variables[ESTIMATOR_FOLDER],
        problems=problems,
    )


def _tensorflow() -> ModuleType:
    try:
        import tensorflow
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Reading the authors' checkpoints needs TensorFlow: pip install 'agarnet-jax[convert]'."
        ) from error
    return tensorflow


def _checkpoint_in(folder: pathlib.Path) -> pathlib.Path:
    """Finds the checkpoint that a folder names or else holds: `FOLDER/NAME`, without any suffix.

    The file `checkpoint` may name a path of the machine that trained, so only its last part counts.
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
        f"several checkpoints, and no file `checkpoint` that names one: {names}"
    )


def _read(
    tensorflow: ModuleType, checkpoint: pathlib.Path, scopes: Iterable[str]
) -> dict[str, np.ndarray]:
    """Reads the network's variables: those of `scopes` that do not belong to another variable.

    An optimizer calls what it keeps of a variable by the variable's own name, a "/" and more.
    """
    try:
        reader = tensorflow.train.load_checkpoint(str(checkpoint))
        names = set(reader.get_variable_to_shape_map())
        return {
            name: reader.get_tensor(name)
            for name in sorted(names)
            if name.split("/")[0] in scopes and not _parents(name) & names
        }
    # TensorFlow's kinds of errors become Python's, a few of them by the text.
    except (tensorflow.errors.OpError, IndexError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise OSError(f"{checkpoint.name} cannot be read ({reason}); copy it again") from error


def _parents(name: str) -> set[str]:
    parts = name.split("/")
    return {"/".join(parts[:count]) for count in range(1, len(parts))}
