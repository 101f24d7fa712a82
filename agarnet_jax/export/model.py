"""What is written in every format: a function, the shapes it is traced with, its metadata."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
from jax.export import symbolic_shape

from agarnet_jax import weights
from agarnet_jax.configs import member
from agarnet_jax.export import metadata
from agarnet_jax.export.blind import (
    BLOCK,
    Function,
    ParameterDtype,
    Part,
    Quality,
    check_side,
    functions,
)

# Symbols that shapes are traced with: height is 8·h, width 8·w.
SYMBOLS = "batch, 8*h, 8*w"


@dataclasses.dataclass(frozen=True)
class Model:
    """A part of some weights, ready to be written.

    size: (height, width) if the file takes only that; batch is always free.
    """

    function: Function
    metadata: dict[str, str]
    size: tuple[int, int] | None

    def traced_inputs(self) -> tuple[jax.ShapeDtypeStruct, ...]:
        """What to trace the function with."""
        if self.size is None:
            least = self.function.smallest_side // BLOCK
            constraints = [f"h >= {least}", f"w >= {least}"]
            batch, height, width = symbolic_shape(SYMBOLS, constraints=constraints)
        else:  # without constraints on symbols that do not occur
            (batch,), (height, width) = symbolic_shape("batch"), self.size
        sides: dict[Any, Any] = {"batch": batch, "height": height, "width": width}
        return tuple(
            jax.ShapeDtypeStruct([sides.get(side, side) for side in tensor.shape], tensor.dtype)
            for tensor in self.function.inputs
        )


def prepare(
    trained: weights.Weights,
    *,
    part: Part | str = Part.BLIND,
    name: str = "model",
    quality: Quality | str = Quality.IMAGE,
    dtype: ParameterDtype | str = ParameterDtype.FLOAT32,
    size: tuple[int, int] | None = None,
    licence: str | None = None,
) -> Model:
    """A part of weights as a model. Options of every format's `save`.

    Args:
      trained: the weights.
      part: what of them.
      name: for the metadata, such as the name of shipped weights.
      quality: whether the restorer gets one quality an image, or a map.
      dtype: what parameters are stored in.
      size: (height, width) for a file that takes only that; None leaves them free.
      licence: for the metadata; None for what is known of shipped weights.

    Raises:
      ValueError: no such part, quality or dtype; a side that is not a multiple of 8.
    """
    quality, dtype = member(Quality, quality, "quality"), member(ParameterDtype, dtype, "dtype")
    function = functions(trained, quality=quality, dtype=dtype).of(part)
    for side, pixels in zip(("height", "width"), size or ()):
        check_side(side, pixels, smallest=function.smallest_side)
    about = metadata.describe(
        trained, function, name=name, quality=quality, dtype=dtype, size=size, licence=licence
    )
    return Model(function, about, size)


@contextlib.contextmanager
def without_source_paths() -> Iterator[None]:
    """JAX notes where in the source an operation comes from; files are the same without it."""
    name = "jax_traceback_in_locations_limit"
    before = getattr(jax.config, name)
    jax.config.update(name, 0)
    try:
        yield
    finally:
        jax.config.update(name, before)
