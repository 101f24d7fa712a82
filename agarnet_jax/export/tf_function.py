"""What SavedModel and LiteRT share: the exported function as one of TensorFlow's (`export-tf`)."""

import contextlib
import functools
import os
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from agarnet_jax.export import extras
from agarnet_jax.export.blind import SIDES, Tensor
from agarnet_jax.export.model import Model, without_source_paths

EXTRA = "export-tf"

Interceptor = Callable[..., Any]


def load_tensorflow() -> Any:
    """Imports TensorFlow, quiet about the processor it finds.

    Raises:
      ValueError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return extras.load("tensorflow", extra=EXTRA)


def converted(
    model: Model,
    *,
    platforms: tuple[str, ...],
    batch: int | None = None,
    interceptor: Interceptor | None = None,
) -> Callable[..., Any]:
    """Converts the model's function to one that takes and returns TensorFlow's tensors.

    Args:
      model: what to convert; traced when the result is first called.
      platforms: those of XLA to lower it for.
      batch: the number of images; None leaves it free.
      interceptor: gives layers another form, as of `flax.linen.intercept_methods`.
    """
    from jax.experimental import jax2tf

    fixed = {} if batch is None else {"batch": batch}

    def call(*arrays: jax.Array) -> dict[str, jax.Array]:
        rewriting = nn.intercept_methods(interceptor) if interceptor else contextlib.nullcontext()
        with rewriting:
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
    """Returns the `tf.TensorSpec` of every input."""
    return [specification(tf, tensor, model) for tensor in model.function.inputs]


def specification(tf: Any, tensor: Tensor, model: Model) -> Any:
    """Returns the `tf.TensorSpec` of an input, with None for sides that are free."""
    sides = dict.fromkeys(SIDES) | model.sides
    return tf.TensorSpec(tensor.with_sides(sides), tensor.dtype, tensor.name)
