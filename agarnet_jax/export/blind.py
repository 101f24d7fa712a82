"""The exported functions: complete blind restoration, and the restorer and estimator alone.

Pure functions of arrays that close over the parameters and can be traced with symbolic batch,
height and width. They include what `Restorer` does in NumPy around the networks: padding to whole
cells, interpolation of the quality map, clipping, and for uint8 scaling and rounding; but not the
detection of compression traces (`use_traces`). Convolutions are always XLA's native ones, since
the alternatives in `models/formulations.py` are only faster on XLA:CPU.

    functions = blind.functions(weights.load("tiny"))
    result = jax.jit(functions[Part.BLIND])(image)  # {"restored", "quality_map", "quality"}
"""

import dataclasses
import enum
import numbers
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agarnet_jax import weights
from agarnet_jax.configs import member
from agarnet_jax.export.formats import Part
from agarnet_jax.jpeg_tables import BLOCK, MAX_QUALITY, MIN_QUALITY
from agarnet_jax.models import (
    CELL,
    AGARNet,
    AGARNetConfig,
    CellPlacement,
    ComputeDtype,
    Conv2DFormulation,
    Conv3DFormulation,
    EstimatorConfig,
    QualityEstimator,
    mean_over_area,
    quality_map,
)

_PEAK = 255


class Quality(enum.Enum):
    """The quality passed to the restorer: one per IMAGE (AGARNet-EST), or a MAP (AGARNet-ESP)."""

    IMAGE = "image"
    MAP = "map"


class ParameterDtype(enum.Enum):
    """The type in which parameters are stored; computation is always in float32."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A named input or output. Each side is an integer or one of the names in `SIDES`."""

    name: str
    dtype: str
    shape: tuple[str | int, ...]
    meaning: str

    def with_sides(self, sides: Mapping[str, Any]) -> tuple[Any, ...]:
        """Returns the shape with names replaced by their values in `sides`; other names stay."""
        return tuple(sides.get(f"{side}", side) for side in self.shape)


SIDES = {
    "batch": "any number of images",
    "height": "a multiple of 8",
    "width": "a multiple of 8",
    "rows": "height / 64, rounded up (down for weights with cells=released)",
    "columns": "width / 64, rounded like rows",
}
_IMAGE_SHAPE = ("batch", "height", "width", 1)
_IMAGE = Tensor("image", "float32", _IMAGE_SHAPE, "luma in [0, 1], the JPEG grid at the origin")
_IMAGE_UINT8 = Tensor("image", "uint8", _IMAGE_SHAPE, "luma 0–255, the JPEG grid at the origin")
_QUALITIES = {
    Quality.IMAGE: Tensor("quality", "float32", ("batch", 1, 1, 1), "JPEG quality 1–100"),
    Quality.MAP: Tensor("quality", "float32", _IMAGE_SHAPE, "JPEG quality 1–100 of each pixel"),
}
_RESTORED = Tensor("restored", "float32", _IMAGE_SHAPE, "restored luma in [0, 1]")
_RESTORED_UINT8 = Tensor("restored", "uint8", _IMAGE_SHAPE, "restored luma, rounded")
_UNCLIPPED = Tensor("restored", "float32", _IMAGE_SHAPE, "restored luma, not clipped")
_CELLS = Tensor(
    "cells", "float32", ("batch", "rows", "columns", 1), "quality per 64×64 cell, not clipped"
)
_ESTIMATES = (
    Tensor("quality_map", "float32", _IMAGE_SHAPE, "estimated JPEG quality 1–100, pixel-wise"),
    Tensor("quality", "float32", ("batch",), "estimated JPEG quality 1–100, mean over the area"),
)


def fixed_sides(size: tuple[int, int] | None) -> dict[str, int]:
    """Returns the sides by name for files of a fixed (height, width); {} if both are free.

    Raises:
      ValueError: `size` is not a pair of integers.
    """
    if size is None:
        return {}
    if np.shape(size) != (2,) or not all(isinstance(side, numbers.Integral) for side in size):
        raise ValueError(f"size is {size!r}; give (height, width) in pixels, such as (512, 768).")
    return dict(zip(("height", "width"), size))


@dataclasses.dataclass(frozen=True)
class Function:
    """A pure function from its inputs, in order, to a dict of outputs by name.

    smallest_side: minimum height and width; 8, or 64 for cells of the released graph.
    """

    part: Part
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    smallest_side: int
    # Closes over the parameters, which a repr must not print.
    call: Callable[..., dict[str, jax.Array]] = dataclasses.field(repr=False)

    def __call__(self, *arrays: jax.typing.ArrayLike) -> dict[str, jax.Array]:
        return self.call(*arrays)


def functions(
    trained: weights.Weights,
    *,
    quality: Quality | str = Quality.IMAGE,
    dtype: ParameterDtype | str = ParameterDtype.FLOAT32,
) -> dict[Part, Function]:
    """Builds the exported functions for some weights.

    Args:
      trained: the weights.
      quality: what the blind parts pass to the restorer; for RESTORER, the shape of its second
        input.
      dtype: FLOAT16 stores the parameters rounded to float16; restored images change by less than
        5e-3 (measured in `docs/export.md`).

    Returns:
      One function per part; images are (B, H, W, 1), H and W multiples of 8.

      BLIND: float32 in [0, 1] → {"restored": (B, H, W, 1) in [0, 1], "quality_map": (B, H, W, 1),
        "quality": (B,)}. The map is the pixel-wise estimate, 1–100, even if it was not used.
      BLIND_UINT8: uint8 → the same with "restored" in uint8, rounded half to even.
      RESTORER: float32 image in [0, 1] and float32 quality 1–100 (clipped), of shape (B, 1, 1, 1)
        or for `Quality.MAP` (B, H, W, 1) → {"restored"}, not clipped, as `AGARNet` returns it.
      ESTIMATOR: float32 in [0, 1] → {"cells": (B, rows, columns, 1) not clipped, "quality_map",
        "quality"}.

    Raises:
      ValueError: unknown quality or dtype.
    """
    quality = member(Quality, quality, "quality")
    dtype = member(ParameterDtype, dtype, "dtype")
    networks = _Networks(
        _portable(trained.restorer_config, conv3d=Conv3DFormulation.NATIVE, remat=False),
        _rounded(trained.restorer_params, dtype),
        _portable(trained.estimator_config),
        _rounded(trained.estimator_params, dtype),
        quality,
    )
    placed = trained.estimator_config.cells is CellPlacement.PLACED
    cell_side = BLOCK if placed else CELL
    every = (
        Function(Part.BLIND, (_IMAGE,), (_RESTORED, *_ESTIMATES), cell_side, networks.blind),
        Function(
            Part.BLIND_UINT8,
            (_IMAGE_UINT8,),
            (_RESTORED_UINT8, *_ESTIMATES),
            cell_side,
            networks.blind_uint8,
        ),
        Function(
            Part.RESTORER, (_IMAGE, _QUALITIES[quality]), (_UNCLIPPED,), BLOCK, networks.restore
        ),
        Function(Part.ESTIMATOR, (_IMAGE,), (_CELLS, *_ESTIMATES), cell_side, networks.estimate),
    )
    return {function.part: function for function in every}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class _Networks:
    """Both networks; its methods are the exported functions."""

    restorer_config: AGARNetConfig
    restorer_params: Any
    estimator_config: EstimatorConfig
    estimator_params: Any
    quality: Quality

    def blind(self, image: jax.Array) -> dict[str, jax.Array]:
        estimated = self.estimate(image)
        quality = (
            estimated["quality_map"]
            if self.quality is Quality.MAP
            else estimated["quality"].reshape(-1, 1, 1, 1)
        )
        restored = jnp.clip(self.restore(image, quality)["restored"], 0, 1)
        return {"restored": restored} | {k: estimated[k] for k in ("quality_map", "quality")}

    def blind_uint8(self, image: jax.Array) -> dict[str, jax.Array]:
        result = self.blind(image.astype(jnp.float32) / _PEAK)
        return result | {"restored": jnp.round(_PEAK * result["restored"]).astype(jnp.uint8)}

    def restore(self, image: jax.Array, quality: jax.Array) -> dict[str, jax.Array]:
        params = _as_float32(self.restorer_params)
        model = AGARNet(self.restorer_config)
        return {"restored": model.apply({"params": params}, image, quality=quality).restored}

    def estimate(self, image: jax.Array) -> dict[str, jax.Array]:
        _, height, width, _ = image.shape
        placement = self.estimator_config.cells
        padded = image
        if placement is CellPlacement.PLACED:
            padded = pad_to_cells(pad_to_cells(image, axis=1), axis=2)
        params = _as_float32(self.estimator_params)
        cells = QualityEstimator(self.estimator_config).apply({"params": params}, padded).cells
        interpolated = quality_map(cells, height=height, width=width, placement=placement)
        mean = mean_over_area(cells, height=height, width=width, placement=placement)
        return {
            "cells": cells,
            "quality_map": jnp.clip(interpolated, MIN_QUALITY, MAX_QUALITY),
            "quality": jnp.clip(mean, MIN_QUALITY, MAX_QUALITY),
        }


def pad_to_cells(image: jax.Array, *, axis: int) -> jax.Array:
    """Pads images (B, H, W, 1) to whole cells along an axis, like `numpy.pad` mode "symmetric".

    Indices are computed here because this mode of `jnp.pad` does not accept symbolic sizes.
    """
    side = image.shape[axis]
    index = jax.lax.rem(
        jnp.arange((side + CELL - 1) // CELL * CELL), jnp.asarray(2 * side, jnp.int32)
    )
    return jnp.take(image, jnp.minimum(index, 2 * side - 1 - index), axis=axis, mode="clip")


def _portable(config: Any, **changes: Any) -> Any:
    return dataclasses.replace(
        config, conv2d=Conv2DFormulation.NATIVE, compute_dtype=ComputeDtype.FLOAT32, **changes
    )


def _rounded(params: Any, dtype: ParameterDtype) -> Any:
    return jax.tree.map(lambda value: np.asarray(value, dtype.value), params)


def _as_float32(params: Any) -> Any:
    """Widens parameters inside the traced function, so that the narrow type is stored."""
    return jax.tree.map(lambda value: jnp.asarray(value).astype(jnp.float32), params)
