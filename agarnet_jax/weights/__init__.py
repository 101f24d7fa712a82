"""Trained weights: one safetensors file with a restorer, its estimator and both configurations.

Tensors are named `restorer/{parameter path}` and `estimator/{parameter path}`, float32. The
metadata has the configurations as JSON, under the same two names, and a hash of all tensors as
"sha256", which reveals damaged files; older files have none. Parameters are checked against the
configurations when they are saved, and when a file without a hash is loaded.
"""

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import flax.traverse_util
import jax
import numpy as np
import safetensors
import safetensors.numpy

from agarnet_jax import atomic_files
from agarnet_jax.configs import to_plain
from agarnet_jax.models import CELL, AGARNet, AGARNetConfig, EstimatorConfig, QualityEstimator
from agarnet_jax.models.parameter_shapes import MISSING, UNEXPECTED, shape_mismatches

_FOLDER = pathlib.Path(__file__).parent
_SUFFIX = ".safetensors"
_HASH = "sha256"
PARTS = ("restorer", "estimator")


@dataclasses.dataclass(frozen=True, eq=False)
class Weights:
    """The networks for blind restoration. Parameters are nested dicts of float32 arrays."""

    restorer_config: AGARNetConfig
    restorer_params: Any = dataclasses.field(repr=False)
    estimator_config: EstimatorConfig
    estimator_params: Any = dataclasses.field(repr=False)

    def __post_init__(self) -> None:
        for part in PARTS:
            if list(getattr(self, f"{part}_params")) == ["params"]:
                raise ValueError(
                    f"{part}_params are a model's variables; pass variables['params']."
                )


def shipped_names() -> list[str]:
    """Lists the names of the weights shipped with this package."""
    return sorted(path.stem for path in _FOLDER.glob(f"*{_SUFFIX}"))


def path_of(name_or_path: str | os.PathLike) -> pathlib.Path:
    """Returns the path of shipped weights, or of the given file.

    Raises:
      ValueError: neither a shipped name nor a readable file.
    """
    path = pathlib.Path(name_or_path)
    if os.fspath(name_or_path) in shipped_names():
        return _FOLDER / f"{name_or_path}{_SUFFIX}"
    if os.path.isdir(path):  # unlike pathlib, accepts names of any length
        raise ValueError(
            f"{str(path)!r} is a folder, weights are a file; create one from training runs with "
            "`python -m experiments.pack_weights --restorer=FOLDER --estimator=FOLDER "
            "--out=FILE.safetensors`."
        )
    if not os.path.isfile(path):
        raise ValueError(
            f"No weights {os.fspath(name_or_path)!r}: neither a file nor a shipped name "
            f"({', '.join(shipped_names())})."
        )
    if not os.access(path, os.R_OK):
        raise ValueError(f"{str(path)!r} is not readable; change its permissions.")
    return path


def load(name_or_path: str | os.PathLike) -> Weights:
    """Loads shipped weights by name, or a file.

    Raises:
      ValueError: neither a shipped name nor a file of this format, or the file is damaged.
    """
    path = path_of(name_or_path)
    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        _check_hash(path, tensors, metadata.get(_HASH))
        if missing := [part for part in PARTS if part not in metadata]:
            raise ValueError(f"it has no {' and no '.join(missing)}")
        loaded = Weights(
            restorer_config=AGARNetConfig(**json.loads(metadata["restorer"])),
            restorer_params=_params_of(tensors, "restorer"),
            estimator_config=EstimatorConfig(**json.loads(metadata["estimator"])),
            estimator_params=_params_of(tensors, "estimator"),
        )
        if _HASH not in metadata:
            check(loaded)
        return loaded
    except DamagedError:
        raise
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{str(path)!r} does not hold AGARNet weights: {error}") from error


class DamagedError(ValueError):
    """The tensors of a weights file do not have the hash that was saved with them."""


def _check_hash(
    path: pathlib.Path, tensors: Mapping[str, np.ndarray], expected: str | None
) -> None:
    if expected is not None and expected != _hash(tensors):
        raise DamagedError(
            f"{str(path)!r} is damaged: its tensors do not have the hash that was saved with them; "
            "copy it again from its source."
        )


def check(weights: Weights) -> None:
    """Checks parameter names and shapes against the configurations, by tracing the networks.

    Raises:
      ValueError: they differ; the message names the first that does.
    """
    image = jax.ShapeDtypeStruct((1, CELL, CELL, 1), np.float32)
    restorer = functools.partial(AGARNet(weights.restorer_config).init, quality=50.0)
    estimator = QualityEstimator(weights.estimator_config).init
    for part, init in zip(PARTS, (restorer, estimator)):
        expected = jax.eval_shape(lambda image, init=init: init(jax.random.key(0), image), image)
        for name, (given, wanted) in shape_mismatches(
            getattr(weights, f"{part}_params"), expected["params"]
        ).items():
            raise ValueError(
                f"{part}_params do not fit {part}_config: {name} has shape "
                f"{'none (it is missing)' if given == MISSING else given}, not "
                f"{'any: there is no such parameter' if wanted == UNEXPECTED else wanted}."
            )


def save(weights: Weights, path: str | os.PathLike) -> None:
    """Writes weights to a file atomically.

    Raises:
      OSError: the file cannot be written.
      ValueError: as `check`.
    """
    check(weights)
    metadata = {
        "restorer": json.dumps(to_plain(weights.restorer_config)),
        "estimator": json.dumps(to_plain(weights.estimator_config)),
    }
    atomic_files.write(path, file_contents(flat_tensors(weights), metadata))


def file_contents(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """Serializes a safetensors file, with a hash of the tensors that `load` checks.

    Args:
      tensors: arrays by name.
      metadata: strings by key.
    """
    return safetensors.numpy.save(dict(tensors), {**metadata, _HASH: _hash(tensors)})


def flat_tensors(
    weights: Weights, *, parts: Sequence[str] = PARTS, dtype: Any = np.float32
) -> dict[str, np.ndarray]:
    """Returns the parameters of networks by name, `{part}/{parameter path}`.

    Args:
      weights: the weights.
      parts: the networks, a subset of `PARTS`.
      dtype: the data type of the result.
    """
    return {
        f"{part}/{name}": np.ascontiguousarray(value, dtype)
        for part in parts
        for name, value in flax.traverse_util.flatten_dict(
            getattr(weights, f"{part}_params"), sep="/"
        ).items()
    }


def digest(params: Any) -> str:
    """Returns the SHA-256 of the names, shapes and values of parameters, nested dicts of arrays."""
    flat = flax.traverse_util.flatten_dict(params, sep="/")
    return _hash({name: np.asarray(value) for name, value in flat.items()})


def _hash(tensors: Mapping[str, np.ndarray]) -> str:
    """Returns the SHA-256 of names, shapes and little-endian values, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, tensor.dtype.str, tensor.shape]).encode())
        digest.update(tensor.astype(tensor.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _params_of(tensors: Mapping[str, np.ndarray], part: str) -> dict[str, Any]:
    prefix = f"{part}/"
    flat = {
        name.removeprefix(prefix): tensor.astype(np.float32, copy=False)
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    if not flat:
        raise ValueError(f"it has no tensor named {prefix}…")
    return flax.traverse_util.unflatten_dict(flat, sep="/")
