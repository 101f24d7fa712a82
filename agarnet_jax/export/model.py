"""What every format writes: a function, the shapes to trace it with, and its metadata."""

import contextlib
import dataclasses
from collections.abc import Iterator

import jax
from jax.export import SymbolicScope, symbolic_shape

from agarnet_jax import weights
from agarnet_jax.configs import member
from agarnet_jax.export import metadata
from agarnet_jax.export.blind import Function, ParameterDtype, Quality, fixed_sides, functions
from agarnet_jax.export.formats import Part
from agarnet_jax.jpeg_tables import BLOCK

PLATFORMS = ("cpu", "cuda", "tpu")  # for which StableHLO is lowered


@dataclasses.dataclass(frozen=True)
class Model:
    """A part of some weights, ready to be written.

    size: (height, width) if fixed; batch is always free.
    """

    function: Function
    metadata: dict[str, str]
    size: tuple[int, int] | None

    @property
    def sides(self) -> dict[str, int]:
        """The fixed sides, in pixels, by name."""
        return fixed_sides(self.size)

    def symbolic_shapes(self, **sides: int) -> tuple[str, ...]:
        """Returns the shapes of the inputs in the notation of `jax.export.symbolic_shape`.

        Height is 8·h and width 8·w unless fixed; `sides` fixes others, such as `batch`.
        """
        written = {"height": f"{BLOCK}*h", "width": f"{BLOCK}*w"} | self.sides | sides
        return tuple(
            ", ".join(map(str, tensor.with_sides(written))) for tensor in self.function.inputs
        )

    @property
    def constraints(self) -> tuple[str, ...]:
        """Constraints on the symbols of `symbolic_shapes`, in the same notation."""
        least = self.function.smallest_side // BLOCK
        # JAX refuses constraints on symbols that do not occur.
        return () if self.size else (f"h >= {least}", f"w >= {least}")

    def traced_inputs(self) -> tuple[jax.ShapeDtypeStruct, ...]:
        """Returns abstract inputs to trace the function with."""
        scope = SymbolicScope(self.constraints)
        return tuple(
            jax.ShapeDtypeStruct(symbolic_shape(shape, scope=scope), tensor.dtype)
            for shape, tensor in zip(self.symbolic_shapes(), self.function.inputs)
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
    """Prepares a part of some weights for export; `save` of every format takes these options.

    Args:
      trained: the weights.
      part: which part to export.
      name: for the metadata, such as the name of shipped weights.
      quality: whether the restorer gets one quality per image, or a map.
      dtype: the type in which parameters are stored.
      size: fixed (height, width); None leaves them free.
      licence: for the metadata; None for the default.

    Raises:
      ValueError: unknown part, quality or dtype, or a side that is not a multiple of 8.
    """
    quality, dtype = member(Quality, quality, "quality"), member(ParameterDtype, dtype, "dtype")
    function = functions(trained, quality=quality, dtype=dtype)[member(Part, part, "part")]
    for side, pixels in fixed_sides(size).items():
        _check_side(side, pixels, function.smallest_side)
    about = metadata.describe(
        trained, function, name=name, quality=quality, dtype=dtype, size=size, licence=licence
    )
    return Model(function, about, size)


def _check_side(name: str, pixels: int, smallest: int) -> None:
    """Raises ValueError unless a fixed side is a multiple of 8 and at least `smallest`."""
    if pixels % BLOCK or pixels < smallest:
        raise ValueError(
            f"{name} is {pixels}; use a multiple of {BLOCK}, at least {smallest}, and pad images "
            "to it by repeating their last row and column."
        )


@contextlib.contextmanager
def without_source_paths() -> Iterator[None]:
    """Keeps JAX from recording source locations, so that files are reproducible."""
    name = "jax_traceback_in_locations_limit"
    before = getattr(jax.config, name)
    jax.config.update(name, 0)
    try:
        yield
    finally:
        jax.config.update(name, before)
