"""ONNX: one file for ONNX Runtime, OpenVINO, DirectML and browsers (extra `export-onnx`).

The traced function is lowered primitive by primitive (`onnx_lowering.py`), so that batch, height
and width stay free and convolutions become ONNX's own.
"""

import os
from typing import Any

import jax
import numpy as np

from agarnet_jax import atomic_files, weights
from agarnet_jax.export import extras
from agarnet_jax.export.blind import Tensor
from agarnet_jax.export.model import Model, prepare
from agarnet_jax.jpeg_tables import BLOCK


def save(trained: weights.Weights, path: str | os.PathLike, **options: Any) -> None:
    """Writes an ONNX file, opset 17, validated, with metadata in its `metadata_props`.

    Args:
      trained: the weights.
      path: the file.
      options: those of `model.prepare`.

    Raises:
      ValueError: the package onnx is missing, or see `model.prepare`.
    """
    onnx = extras.load("onnx", extra="export-onnx")
    model = _model(onnx, prepare(trained, **options))
    onnx.checker.check_model(model, full_check=True)
    atomic_files.write(path, model.SerializeToString())


def _model(onnx: Any, model: Model) -> Any:
    """Returns the `onnx.ModelProto` of a model."""
    from agarnet_jax.export.onnx_graph import Graph, Value
    from agarnet_jax.export.onnx_lowering import channels_last, lower

    function = model.function
    graph = Graph()
    first = function.inputs[0].name
    graph.define_side("batch", first, axis=0, divisor=1)
    graph.define_side("h", first, axis=1, divisor=BLOCK)
    graph.define_side("w", first, axis=2, divisor=BLOCK)
    # A list keeps the order of `function.outputs`; JAX would sort the keys of a dict.
    names = [tensor.name for tensor in function.outputs]
    traced = jax.make_jaxpr(lambda *inputs: [function(*inputs)[name] for name in names])(
        *model.traced_inputs()
    )
    results = lower(graph, traced, [Value(tensor.name) for tensor in function.inputs])

    def info(tensor: Tensor) -> Any:
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
        return onnx.helper.make_tensor_value_info(
            tensor.name, kind, tensor.with_sides(model.sides), doc_string=tensor.meaning
        )

    outputs = {
        channels_last(graph, result, len(tensor.shape)): info(tensor)
        for tensor, result in zip(function.outputs, results)
    }
    written = graph.model([info(tensor) for tensor in function.inputs], outputs)
    written.producer_name = model.metadata["source"]
    written.producer_version = model.metadata["version"]
    onnx.helper.set_model_props(written, model.metadata)
    return written
