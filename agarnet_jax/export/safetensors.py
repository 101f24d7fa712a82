"""Safetensors: the parameters, for any language; `docs/export.md` lists all tensors."""

import json
import os
from typing import Any

from agarnet_jax import atomic_files, weights
from agarnet_jax.configs import to_plain
from agarnet_jax.export.formats import Part
from agarnet_jax.export.model import prepare

_NETWORKS = {
    Part.BLIND: weights.PARTS,
    Part.RESTORER: ("restorer",),
    Part.ESTIMATOR: ("estimator",),
}


def save(trained: weights.Weights, path: str | os.PathLike, **options: Any) -> None:
    """Writes parameters as `{network}/{path}`, and configurations as JSON in the metadata.

    A file with both networks is accepted by `weights.load` and `agarnet restore --weights`.

    Args:
      trained: the weights.
      path: the file.
      options: those of `model.prepare`, without `size`.

    Raises:
      ValueError: a part or size that does not apply, or see `model.prepare` and `weights.check`.
    """
    weights.check(trained)
    model = prepare(trained, **options)
    part = model.function.part
    if part not in _NETWORKS:
        raise ValueError(f"part is {part.value!r}; use 'blind', which has the same parameters.")
    if model.size is not None:
        raise ValueError("A safetensors file has no image size; leave the size out.")
    tensors = weights.flat_tensors(
        trained, parts=_NETWORKS[part], dtype=model.metadata["parameters"]
    )
    configurations = {
        network: json.dumps(to_plain(getattr(trained, f"{network}_config")))
        for network in _NETWORKS[part]
    }
    atomic_files.write(path, weights.file_contents(tensors, model.metadata | configurations))
