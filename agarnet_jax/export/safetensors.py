"""Safetensors: the parameters, for readers in any language; `docs/export.md` names them all."""

import json
import os
from typing import Any

import flax.traverse_util
import numpy as np
import safetensors.numpy

from agarnet_jax import weights
from agarnet_jax.configs import to_plain
from agarnet_jax.export.blind import Part
from agarnet_jax.export.model import prepare, write

_NETWORKS = {
    Part.BLIND: ("restorer", "estimator"),
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
      ValueError: as `model.prepare`, or a part or size that parameters do not have.
    """
    model = prepare(trained, **options)
    part = model.function.part
    if part not in _NETWORKS:
        raise ValueError(f"part is {part.value!r}; parameters are the same for 'blind'.")
    if model.size is not None:
        raise ValueError("Parameters have no height and width; leave them out.")
    tensors, about = {}, dict(model.metadata)
    for network in _NETWORKS[part]:
        flat = flax.traverse_util.flatten_dict(getattr(trained, f"{network}_params"), sep="/")
        for name, value in flat.items():
            tensors[f"{network}/{name}"] = np.ascontiguousarray(value, model.metadata["parameters"])
        about[network] = json.dumps(to_plain(getattr(trained, f"{network}_config")))
    write(path, safetensors.numpy.save(tensors, about))
