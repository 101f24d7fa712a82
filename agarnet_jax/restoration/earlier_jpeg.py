"""Recovers an earlier JPEG from an aligned recompression of it (NumPy).

Where the last compression used a finer step than the one before, each decoded coefficient lies
within half a last step of a multiple of the earlier step. As earlier steps are longer than that,
only one multiple qualifies, and it is the earlier coefficient. Undoing the last compression gives
the restorer what it was trained on: a single JPEG of known quality.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, quality_table
from agarnet_jax.restoration import block_transform
from agarnet_jax.restoration.block_transform import LEVEL_SHIFT
from agarnet_jax.restoration.components import Change
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.traces import double_quantization
from agarnet_jax.restoration.upsampling import RowReader

_ROUNDING = 1.0  # levels; pixel rounding moves most coefficients by no more than this
# Fraction of a block's nonzero coefficients that must fit the earlier steps; the rest may have
# been clipped. A block below it was edited between the compressions.
_MIN_FITTING_FRACTION = 0.75


@dataclasses.dataclass(frozen=True, eq=False)
class Recompression:
    """A compression that followed a coarser one.

    quality: 1–100, of the earlier, coarser compression.
    last_table: (8, 8) in raster order, the quantization table of the later one.
    """

    quality: int
    last_table: np.ndarray

    def undo(self, levels: np.ndarray) -> np.ndarray:
        """Returns whole blocks as decoded before the later compression, in whole levels.

        Blocks edited between the two compressions are left unchanged.

        Args:
          levels: (8 rows, 8 columns), 0–255, as decoded after the later compression.
        """
        steps = quality_table(self.quality)
        coefficients = block_transform.forward(levels - LEVEL_SHIFT)
        earlier = np.rint(coefficients / steps) * steps
        coarser = steps > self.last_table
        fits = np.abs(earlier - coefficients) <= self.last_table / 2 + _ROUNDING
        informative = coarser & (np.abs(coefficients) > self.last_table / 2)
        fitting = (informative & fits).sum(axis=(2, 3))
        unedited = fitting >= _MIN_FITTING_FRACTION * informative.sum(axis=(2, 3))
        moved = np.where(coarser & fits, earlier, coefficients).astype(np.float32)
        undone = np.clip(np.rint(block_transform.inverse(moved) + LEVEL_SHIFT), 0, 255)
        return np.where(unedited.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1), undone, levels)


@dataclasses.dataclass(frozen=True, eq=False)
class RecoveredPlane(Plane):
    """A plane as it was before one or more recompressions.

    original: the plane as decoded.
    recompressions: those to undo, the last one first.
    fraction: 0–1, how much of the difference to `original` is applied.
    """

    original: Plane
    recompressions: tuple[Recompression, ...]
    fraction: float

    @functools.cached_property
    def detected_quality(self) -> float:
        return float(self.recompressions[-1].quality)

    @functools.cached_property
    def uncompressed_blocks(self) -> np.ndarray | None:
        return self.original.uncompressed_blocks

    @classmethod
    def of(
        cls, plane: Plane, recompressions: tuple[Recompression, ...], fraction: float
    ) -> "RecoveredPlane":
        fields = {field.name: getattr(plane, field.name) for field in dataclasses.fields(Plane)}
        return cls(**fields, original=plane, recompressions=recompressions, fraction=fraction)

    def __getitem__(self, index: tuple[slice, slice]) -> np.ndarray:
        inside = [slice(*part.indices(side)[:2]) for part, side in zip(index, self.shape)]
        # Whole blocks only: each encoder pads the partial blocks at the sides in its own way.
        around = [
            slice(part.start // BLOCK * BLOCK, min(-(-part.stop // BLOCK) * BLOCK, side))
            for part, side in zip(inside, self.shape)
        ]
        values = self.original[around[0], around[1]]
        whole = tuple(slice(0, side // BLOCK * BLOCK) for side in values.shape)
        levels = 255 * values[whole]
        for recompression in self.recompressions:
            levels = recompression.undo(levels)
        values[whole] += self.fraction * (levels / 255 - values[whole])
        rows, columns = (
            slice(part.start - outer.start, part.stop - outer.start)
            for part, outer in zip(inside, around)
        )
        return values[rows, columns]


def recover_earlier_jpeg(plane: Plane, *, fraction: float = 1.0) -> Plane:
    """Returns the plane before all detected recompressions; `plane` itself if there are none.

    Args:
      plane: luma, with its grid at the top left corner. Without a known table, the last table must
        be detectable in the pixels.
      fraction: 0–1, how much of the difference to `plane` is applied.
    """
    last_table = plane.last_table
    found: tuple[Recompression, ...] = ()
    while last_table is not None:
        recovered = RecoveredPlane.of(plane, found, fraction=1.0) if found else plane
        quality = double_quantization.detect_earlier_quality(recovered, table=last_table)
        if quality is None:
            break
        found = (*found, Recompression(quality, last_table))
        last_table = quality_table(quality)
    return RecoveredPlane.of(plane, found, fraction) if found else plane


def changes_to_originals(planes: Sequence[Plane], change: RowReader) -> Change:
    """Expresses a change of planes, some of them recovered, as a change of the originals."""
    if not any(isinstance(plane, RecoveredPlane) for plane in planes):
        return planes, change
    originals = [p.original if isinstance(p, RecoveredPlane) else p for p in planes]

    def rows(first: int, last: int) -> np.ndarray:
        region = slice(first, last), slice(0, planes[0].shape[1])
        return change(first, last) + np.stack(
            [plane[region] - original[region] for plane, original in zip(planes, originals)]
        )

    return originals, rows
