"""An earlier JPEG on the same grid, recovered from the one that was made of it (NumPy).

Where the last compression was finer than the one before, each of its coefficients lies within half
a last step of a multiple of the earlier step, and steps of the earlier are longer than that: so
there is one such multiple, and it is the earlier coefficient. What the last compression added is
undone, and the restorer sees what it was trained for, a single JPEG of a known quality.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, quality_table
from agarnet_jax.restoration import block_transform
from agarnet_jax.restoration.components import Change
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.traces import double_quantization, quantization_steps
from agarnet_jax.restoration.upsampling import Rows

_MIDDLE = 128  # levels; JPEG's zero
_ROUNDING = 1.0  # levels; by how much rounding of pixels moves a coefficient, mostly
# Of a block's coefficients that are not zero; the rest clipped. A block with less was changed.
_LEAST_SHARE = 0.75


@dataclasses.dataclass(frozen=True, eq=False)
class Recompression:
    """quality: 1–100, of the earlier compression. last: table (8, 8), raster order, of the last."""

    quality: int
    last: np.ndarray

    def undone(self, levels: np.ndarray) -> np.ndarray:
        """Whole blocks as they were decoded before the last compression, in whole levels.

        Blocks that changed in between stay as they are.

        Args:
          levels: (8 rows, 8 columns), 0–255, as decoded after the last compression.
        """
        steps = quality_table(self.quality)
        coefficients = block_transform.forward(levels - _MIDDLE)
        earlier = np.rint(coefficients / steps) * steps
        coarser = steps > self.last
        fits = np.abs(earlier - coefficients) <= self.last / 2 + _ROUNDING
        telling = coarser & (np.abs(coefficients) > self.last / 2)
        kept = (telling & fits).sum(axis=(2, 3)) >= _LEAST_SHARE * telling.sum(axis=(2, 3))
        moved = np.where(coarser & fits, earlier, coefficients).astype(np.float32)
        undone = np.clip(np.rint(block_transform.inverse(moved) + _MIDDLE), 0, 255)
        return np.where(kept.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1), undone, levels)


@dataclasses.dataclass(frozen=True, eq=False)
class RecoveredPlane(Plane):
    """A plane as it was before recompressions.

    original: as it is. undone: recompressions, the last one first. share: how much of the
    difference is applied, 0–1.
    """

    original: Plane
    undone: tuple[Recompression, ...]
    share: float

    @functools.cached_property
    def detected_quality(self) -> float:
        return float(self.undone[-1].quality)

    @classmethod
    def of(cls, plane: Plane, undone: tuple[Recompression, ...], share: float) -> "RecoveredPlane":
        fields = {field.name: getattr(plane, field.name) for field in dataclasses.fields(Plane)}
        return cls(**fields, original=plane, undone=undone, share=share)

    def __getitem__(self, place: tuple[slice, slice]) -> np.ndarray:
        inside = [slice(*part.indices(side)[:2]) for part, side in zip(place, self.shape)]
        # Whole blocks. Those that a side cuts off were continued anew by each encoder.
        around = [
            slice(part.start // BLOCK * BLOCK, min(-(-part.stop // BLOCK) * BLOCK, side))
            for part, side in zip(inside, self.shape)
        ]
        values = self.original[around[0], around[1]]
        whole = tuple(slice(0, side // BLOCK * BLOCK) for side in values.shape)
        levels = 255 * values[whole]
        for recompression in self.undone:
            levels = recompression.undone(levels)
        values[whole] += self.share * (levels / 255 - values[whole])
        rows, columns = (
            slice(part.start - outer.start, part.stop - outer.start)
            for part, outer in zip(inside, around)
        )
        return values[rows, columns]


def recovered(plane: Plane, *, share: float = 1.0) -> Plane:
    """The plane before recompressions that show in it; the same plane if none does.

    Args:
      plane: luma, its grid at its corner. Where its table is not known, its steps have to show.
      share: how much of the difference to what it is now is applied, 0–1.
    """
    last = plane.table
    if last is None and (fitting := quantization_steps.fitting_quality(plane)):
        last = quality_table(fitting)
    undone: tuple[Recompression, ...] = ()
    while last is not None:
        seen = RecoveredPlane.of(plane, undone, share=1.0) if undone else plane
        quality = double_quantization.earlier_quality(seen, table=last)
        if quality is None:
            break
        undone = (*undone, Recompression(quality, last))
        last = quality_table(quality)
    return RecoveredPlane.of(plane, undone, share) if undone else plane


def changes_of_originals(planes: Sequence[Plane], change: Rows) -> Change:
    """What changes in planes, recovered ones among them, as changes of the originals."""
    if not any(isinstance(plane, RecoveredPlane) for plane in planes):
        return planes, change
    originals = [p.original if isinstance(p, RecoveredPlane) else p for p in planes]

    def rows(first: int, last: int) -> np.ndarray:
        place = slice(first, last), slice(0, planes[0].shape[1])
        return change(first, last) + np.stack(
            [plane[place] - original[place] for plane, original in zip(planes, originals)]
        )

    return originals, rows
