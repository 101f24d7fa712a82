"""StableHLO by `jax.export`: for JAX without this package (extra `export-stablehlo`).

A file is a ZIP archive of `function.bin`, which `jax.export.deserialize` reads, and
`metadata.json`. One file serves CPU, CUDA and TPU.
"""

import io
import json
import os
import zipfile
from typing import Any

import jax
from jax import export

from agarnet_jax import atomic_files, weights
from agarnet_jax.export import extras
from agarnet_jax.export.model import PLATFORMS, Model, prepare, without_source_paths

FUNCTION, METADATA = "function.bin", "metadata.json"


def save(trained: weights.Weights, path: str | os.PathLike, **options: Any) -> None:
    """Writes a function that JAX calls with the inputs in order; it returns a dict of outputs.

    Args:
      trained: the weights.
      path: the file.
      options: those of `model.prepare`.

    Raises:
      ValueError: the package flatbuffers is missing, or see `model.prepare`.
    """
    extras.load("flatbuffers", extra="export-stablehlo")  # used by JAX to serialize
    model = prepare(trained, **options)
    function = exported(model)
    about = model.metadata | {
        "jax": jax.__version__,
        "platforms": ", ".join(PLATFORMS),
        "calling_convention_version": f"{function.calling_convention_version}",
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr(FUNCTION, bytes(function.serialize()))
        members.writestr(METADATA, json.dumps(about, indent=1, ensure_ascii=False))
    atomic_files.write(path, archive.getvalue())


def exported(model: Model) -> export.Exported:
    """Returns the model's function, lowered for all platforms."""
    with without_source_paths():
        traced = export.export(jax.jit(model.function.call), platforms=PLATFORMS)
        return traced(*model.traced_inputs())
