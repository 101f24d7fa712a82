"""LiteRT (.tflite): for mobile and embedded devices (extra `export-tf`).

A file takes any number of images of one fixed size and processes them one after the other, so that
memory does not grow with the batch. Its signature uses the names of `blind.functions`, and all
operations are LiteRT built-ins. `metadata.json` is in a ZIP archive inside the file, following the
convention of the format.
"""

import io
import json
import os
import zipfile
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from agarnet_jax import atomic_files, weights
from agarnet_jax.export import tf_function
from agarnet_jax.export.blind import ParameterDtype, Tensor
from agarnet_jax.export.model import Model, prepare
from agarnet_jax.models import CellPlacement
from agarnet_jax.models.conv3d import Conv3D, stacked_conv3d
from agarnet_jax.models.estimator import cell_grid

METADATA = "metadata.json"


def save(trained: weights.Weights, path: str | os.PathLike, **options: Any) -> None:
    """Writes a .tflite file.

    Args:
      trained: the weights.
      path: the file.
      options: those of `model.prepare`; `size` is required.

    Raises:
      ValueError: there is no size, TensorFlow is missing, or see `model.prepare`.
    """
    if options.get("size") is None:
        raise ValueError(
            "A LiteRT file has a fixed image size; give height and width, such as 256x256."
        )
    model = prepare(trained, **options)
    tf = tf_function.load_tensorflow()
    function = tf.function(
        _one_by_one(tf, model, trained.estimator_config.cells),
        input_signature=tf_function.input_signature(tf, model),
        autograph=False,
    )
    module = tf.Module()
    module.function = function
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], module
    )
    if model.metadata["parameters"] == ParameterDtype.FLOAT16.value:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    about = model.metadata | {"jax": jax.__version__, "tensorflow": tf.__version__}
    atomic_files.write(path, _with_metadata(converter.convert(), about))


def _one_by_one(tf: Any, model: Model, cells: CellPlacement) -> Callable[..., Any]:
    """Applies the function image by image: LiteRT's fast kernels need static shapes."""
    convert = tf_function.converted(
        model, platforms=("cpu",), batch=1, interceptor=_as_2d_convolutions
    )
    assert model.size is not None
    rows, columns = cell_grid(*model.size, cells)
    sides = model.sides | {"rows": rows, "columns": columns}

    def image_spec(tensor: Tensor) -> Any:
        return tf.TensorSpec(tensor.with_sides(sides)[1:], tensor.dtype)

    def apply_to_image(arrays: tuple[Any, ...]) -> dict[str, Any]:
        outputs = convert(*(array[None] for array in arrays))
        return {name: output[0] for name, output in outputs.items()}

    def apply_one_by_one(*arrays: Any) -> dict[str, Any]:
        outputs = {tensor.name: image_spec(tensor) for tensor in model.function.outputs}
        return tf.map_fn(apply_to_image, arrays, fn_output_signature=outputs, parallel_iterations=1)

    return apply_one_by_one


def _as_2d_convolutions(
    layer: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], context: Any
) -> Any:
    """Replaces dense layers and 3D convolutions by 2D convolutions (`nn.intercept_methods`).

    LiteRT has fast kernels for those. It cannot convert the matrix product of dense layers on 4D
    inputs, and its 3D convolution takes about twice the time.
    """
    module = context.module
    if not isinstance(module, nn.Dense | Conv3D) or context.method_name != "__call__":
        return layer(*args, **kwargs)
    (x,) = args
    kernel, bias = (module.get_variable("params", name) for name in ("kernel", "bias"))
    if isinstance(module, Conv3D):
        return stacked_conv3d(x, kernel) + bias.reshape(1, 1, 1, 1, -1)
    flat = x.reshape(x.shape[0], -1, *x.shape[-2:])
    out = jax.lax.conv_general_dilated(
        flat, kernel[None, None], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return (out + bias.reshape(1, 1, 1, -1)).reshape(*x.shape[:-1], -1)


def _with_metadata(file: bytes, about: dict[str, str]) -> bytes:
    """Appends a ZIP archive; each kind of reader ignores the other's part of the file."""
    combined = io.BytesIO(file)
    with zipfile.ZipFile(combined, "a") as archive:
        archive.writestr(METADATA, json.dumps(about, indent=1, ensure_ascii=False))
    return combined.getvalue()
