"""Trained weights: one safetensors file holds a restorer, its estimator and both configurations.

Tensors are named `restorer/{parameter path}` and `estimator/{parameter path}`, float32. The
configurations stand as JSON in the file's metadata, under the same two names, and a hash of all
tensors as "sha256", so that a damaged copy is noticed; older files have none. Parameters are
compared with the configurations when they are saved, and when a file without a hash is loaded.
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
    """Everything blind restoration needs. Parameters are nested dicts of float32 arrays."""

    restorer_config: AGARNetConfig
    restorer_params: Any = dataclasses.field(repr=False)
    estimator_config: EstimatorConfig
    estimator_params: Any = dataclasses.field(repr=False)

    def __post_init__(self) -> None:
        for part in PARTS:
            if list(getattr(self, f"{part}_params")) == ["params"]:
                raise ValueError(
                    f"{part}_params are a model's variables; give variables['params']."
                )


def shipped_names() -> list[str]:
    """Lists the names that `load` knows without a file."""
    return sorted(path.stem for path in _FOLDER.glob(f"*{_SUFFIX}"))


def path_of(name_or_path: str | os.PathLike) -> pathlib.Path:
    """Finds the file of shipped weights by name, or the file given.

    Raises:
      ValueError: neither a shipped name nor a file that may be read.
    """
    path = pathlib.Path(name_or_path)
    if os.fspath(name_or_path) in shipped_names():
        return _FOLDER / f"{name_or_path}{_SUFFIX}"
    if os.path.isdir(path):  # other than those of pathlib, these take names of any length
        raise ValueError(
            f"{str(path)!r} is a folder, weights are a file; of training runs, make one by "
            "`python -m experiments.pack_weights --restorer=FOLDER --estimator=FOLDER "
            "--out=FILE.safetensors`."
        )
    if not os.path.isfile(path):
        raise ValueError(
            f"No weights {os.fspath(name_or_path)!r}: neither a file nor a shipped name "
            f"({', '.join(shipped_names())})."
        )
    if not os.access(path, os.R_OK):
        raise ValueError(f"{str(path)!r} may not be read; change its permissions.")
    return path


def load(name_or_path: str | os.PathLike) -> Weights:
    """Loads shipped weights by name, or a file.

    Raises:
      ValueError: neither a shipped name nor a file of this format, or its tensors are not those
        that were saved.
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
            restorer_params=_part(tensors, "restorer"),
            estimator_config=EstimatorConfig(**json.loads(metadata["estimator"])),
            estimator_params=_part(tensors, "estimator"),
        )
        if _HASH not in metadata:
            check(loaded)
        return loaded
    except DamagedError:
        raise
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{str(path)!r} does not hold AGARNet weights: {error}") from error


class DamagedError(ValueError):
    """A weights file's tensors are not those that were saved."""


def _check_hash(path: pathlib.Path, tensors: Mapping[str, np.ndarray], stated: str | None) -> None:
    if stated is not None and stated != _hash(tensors):
        raise DamagedError(
            f"{str(path)!r} is damaged: its tensors do not have the hash that was saved with them; "
            "copy it again from where it came from."
        )


def check(weights: Weights) -> None:
    """Compares names and shapes of parameters with those of new networks, which are only traced.

    Raises:
      ValueError: they are others; names the first.
    """
    image = jax.ShapeDtypeStruct((1, CELL, CELL, 1), np.float32)
    restorer = functools.partial(AGARNet(weights.restorer_config).init, quality=50.0)
    estimator = QualityEstimator(weights.estimator_config).init
    for part, init in zip(PARTS, (restorer, estimator)):
        new = jax.eval_shape(lambda image, init=init: init(jax.random.key(0), image), image)
        for name, (given, wanted) in shape_mismatches(
            getattr(weights, f"{part}_params"), new["params"]
        ).items():
            raise ValueError(
                f"{part}_params do not fit {part}_config: {name} has shape "
                f"{'none (it is missing)' if given == MISSING else given}, not "
                f"{'any: there is no such parameter' if wanted == UNEXPECTED else wanted}."
            )


def save(weights: Weights, path: str | os.PathLike) -> None:
    """Writes weights to a file, whole or not at all.

    Raises:
      OSError: it cannot be written.
      ValueError: as `check`.
    """
    check(weights)
    metadata = {
        "restorer": json.dumps(to_plain(weights.restorer_config)),
        "estimator": json.dumps(to_plain(weights.estimator_config)),
    }
    atomic_files.write(path, file_contents(flat_tensors(weights), metadata))


def file_contents(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """Makes the bytes of a safetensors file, with the hash of its tensors, which `load` checks.

    Args:
      tensors: the arrays by name.
      metadata: strings by key.
    """
    return safetensors.numpy.save(dict(tensors), {**metadata, _HASH: _hash(tensors)})


def flat_tensors(
    weights: Weights, *, parts: Sequence[str] = PARTS, dtype: Any = np.float32
) -> dict[str, np.ndarray]:
    """Lists the parameters of networks by name, `{part}/{parameter path}`.

    Args:
      weights: whose parameters.
      parts: the networks, of `PARTS`.
      dtype: what to convert the parameters to.
    """
    return {
        f"{part}/{name}": np.ascontiguousarray(value, dtype)
        for part in parts
        for name, value in flax.traverse_util.flatten_dict(
            getattr(weights, f"{part}_params"), sep="/"
        ).items()
    }


def digest(params: Any) -> str:
    """Hashes parameters, nested dicts of arrays: SHA-256 of their names, shapes and values."""
    flat = flax.traverse_util.flatten_dict(params, sep="/")
    return _hash({name: np.asarray(value) for name, value in flat.items()})


def _hash(tensors: Mapping[str, np.ndarray]) -> str:
    """Hashes names, shapes and little-endian values, in the order of names, by SHA-256."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, tensor.dtype.str, tensor.shape]).encode())
        digest.update(tensor.astype(tensor.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _part(tensors: Mapping[str, np.ndarray], part: str) -> dict[str, Any]:
    prefix = f"{part}/"
    flat = {
        name.removeprefix(prefix): tensor.astype(np.float32, copy=False)
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    if not flat:
        raise ValueError(f"it has no tensor named {prefix}…")
    return flax.traverse_util.unflatten_dict(flat, sep="/")
