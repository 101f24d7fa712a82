"""Metadata of exported files: name, version, inputs and outputs, weights, licence, source."""

import hashlib
import importlib.metadata
import json
import os
import pathlib
import subprocess

import flax.traverse_util
import numpy as np

import agarnet_jax
from agarnet_jax import weights
from agarnet_jax.configs import to_plain
from agarnet_jax.export.blind import (
    SIDES,
    Function,
    ParameterDtype,
    Quality,
    Tensor,
    fixed_sides,
)

_UNKNOWN = "unknown"
_SHIPPED_LICENCE = "Apache-2.0 for the code; the weights for research use, see their model card"
_OTHER_LICENCE = "Apache-2.0 for the code; the weights under the licence of their author"


def describe(
    trained: weights.Weights,
    function: Function,
    *,
    name: str,
    quality: Quality,
    dtype: ParameterDtype,
    size: tuple[int, int] | None,
    licence: str | None,
) -> dict[str, str]:
    """Returns the metadata: strings by key, the same in every format.

    "inputs", "outputs" and "sides" are JSON.

    Args:
      trained: the exported weights.
      function: the exported part.
      name: the name of the model.
      quality: what the restorer gets, as in `blind.functions`.
      dtype: the type of the stored parameters.
      size: (height, width) if they are fixed, or None.
      licence: of code and weights; None: the one of shipped weights, or that of others.
    """
    described = {
        "name": f"agarnet-{name}",
        "version": agarnet_jax.__version__,
        "part": function.part.value,
        "quality": quality.value,
        "parameters": dtype.value,
        "inputs": _contract(function.inputs, size),
        "outputs": _contract(function.outputs, size),
        "weights_sha256": weights_hash(trained),
        "licence": licence or (_SHIPPED_LICENCE if _is_shipped(trained) else _OTHER_LICENCE),
        "source": "agarnet-jax",
        "source_commit": source_commit(),
    }
    if size is None:
        least = f", at least {function.smallest_side}"
        sides = {k: v + (least if k in ("height", "width") else "") for k, v in SIDES.items()}
        described["sides"] = json.dumps(sides)
    return described


def name_of(name_or_path: str | os.PathLike) -> str:
    """Returns a model name for `describe`: the shipped name, or the file name without suffix."""
    return pathlib.Path(name_or_path).stem


def weights_hash(trained: weights.Weights) -> str:
    """Returns the SHA-256 (hex) of configurations and parameters, independent of their file.

    The digest covers, for "restorer" and then for "estimator": the configuration as JSON with
    sorted keys, and for every tensor in order of names "{name} {shape}" and its float32
    little-endian bytes.
    """
    digest = hashlib.sha256()
    for config, params in (
        (trained.restorer_config, trained.restorer_params),
        (trained.estimator_config, trained.estimator_params),
    ):
        digest.update(json.dumps(to_plain(config), sort_keys=True).encode())
        for name, value in sorted(flax.traverse_util.flatten_dict(params, sep="/").items()):
            digest.update(f"{name} {list(np.shape(value))}".encode())
            digest.update(np.ascontiguousarray(value, "<f4").tobytes())
    return digest.hexdigest()


def _is_shipped(trained: weights.Weights) -> bool:
    """Returns whether these are shipped weights, whatever their file is called."""
    digest = weights_hash(trained)
    return any(weights_hash(weights.load(name)) == digest for name in weights.shipped_names())


def source_commit() -> str:
    """Returns the commit of this code, with "-dirty" if modified, or "unknown"."""
    folder = pathlib.Path(agarnet_jax.__file__).parent
    if (folder.parent / ".git").exists():
        command = ["git", "-C", f"{folder}", "describe", "--always", "--dirty", "--abbrev=40"]
        command += ["--exclude=*"]
        try:
            return subprocess.run(
                command, capture_output=True, text=True, check=True
            ).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return _UNKNOWN
    return _installed_commit()


def _installed_commit() -> str:
    """Returns the commit that pip recorded when installing from a repository (PEP 610)."""
    try:
        record = importlib.metadata.distribution("agarnet-jax").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return _UNKNOWN
    return json.loads(record or "{}").get("vcs_info", {}).get("commit_id", _UNKNOWN)


def _contract(tensors: tuple[Tensor, ...], size: tuple[int, int] | None) -> str:
    return json.dumps(
        [
            {
                "name": tensor.name,
                "dtype": tensor.dtype,
                "shape": tensor.with_sides(fixed_sides(size)),
                "meaning": tensor.meaning,
            }
            for tensor in tensors
        ]
    )
