"""Safetensors: the parameters, for readers in any language; `docs/export.md` names them all."""

import json
import os
from typing import Any

from agarnet_jax import atomic_files, weights
from agarnet_jax.configs import to_plain
from agarnet_jax.export.blind import Part
from agarnet_jax.export.model import prepare

_NETWORKS = {
    Part.BLIND: weights.PARTS,
    Part.RESTORER: ("restorer",),
    Part.ESTIMATOR: ("estimator",),
}


def save(trained: weights.Weights, path: str | os.PathLike, **options: Any) -> None:
    """Writes parameters as `{network}/{path}`, and configurations as JSON in the metadata.

    With both networks, `weights.load` and `agarnet restore --weights` take the file.

    Args:
      trained: the weights.
      path: the file.
      options: as of `model.prepare`; there is no size.

    Raises:
      ValueError: as `model.prepare` and `weights.check`, or a part or size that parameters do not
        have.
    """
    weights.check(trained)
    model = prepare(trained, **options)
    part = model.function.part
    if part not in _NETWORKS:
        raise ValueError(f"part is {part.value!r}; parameters are the same for 'blind'.")
    if model.size is not None:
        raise ValueError("Parameters have no height and width; leave them out.")
    tensors = weights.flat_tensors(
        trained, parts=_NETWORKS[part], dtype=model.metadata["parameters"]
    )
    configurations = {
        network: json.dumps(to_plain(getattr(trained, f"{network}_config")))
        for network in _NETWORKS[part]
    }
    atomic_files.write(path, weights.file_contents(tensors, model.metadata | configurations))
