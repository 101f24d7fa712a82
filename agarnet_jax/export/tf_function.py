"""Conversion to TensorFlow functions, shared by SavedModel and LiteRT (extra `export-tf`)."""

import contextlib
import functools
import os
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from agarnet_jax.export import extras
from agarnet_jax.export.blind import SIDES
from agarnet_jax.export.model import Model, without_source_paths


def load_tensorflow() -> Any:
    """Imports TensorFlow without its messages about the processor.

    Raises:
      ValueError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return extras.load("tensorflow", extra="export-tf")


def converted(
    model: Model,
    *,
    platforms: tuple[str, ...],
    batch: int | None = None,
    interceptor: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """Returns the model's function as a function of TensorFlow tensors.

    Args:
      model: what to convert; it is traced when the result is first called.
      platforms: the XLA platforms to lower it for.
      batch: the number of images; None leaves it free.
      interceptor: replaces layers; see `flax.linen.intercept_methods`.
    """
    from jax.experimental import jax2tf

    fixed = {} if batch is None else {"batch": batch}

    def call(*arrays: jax.Array) -> dict[str, jax.Array]:
        interception = (
            nn.intercept_methods(interceptor) if interceptor else contextlib.nullcontext()
        )
        with interception:
            return model.function(*arrays)

    function = jax2tf.convert(
        call,
        polymorphic_shapes=model.symbolic_shapes(**fixed),
        polymorphic_constraints=model.constraints,
        with_gradient=False,
        native_serialization_platforms=platforms,
    )

    @functools.wraps(function)
    def without_paths(*tensors: Any) -> Any:
        with without_source_paths():
            return function(*tensors)

    return without_paths


def input_signature(tf: Any, model: Model) -> list[Any]:
    """Returns the `tf.TensorSpec` of each input, with None for free sides."""
    sides = dict.fromkeys(SIDES) | model.sides
    return [
        tf.TensorSpec(tensor.with_sides(sides), tensor.dtype, tensor.name)
        for tensor in model.function.inputs
    ]
