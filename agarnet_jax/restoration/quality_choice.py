"""Chooses the assumed quality of an image: the user's, the header's, or an estimate.

Estimates are refined and checked by the compression traces that are detected in the pixels.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from agarnet_jax.jpeg_tables import MAX_QUALITY, quality_table
from agarnet_jax.models import CellPlacement
from agarnet_jax.restoration.components import Components
from agarnet_jax.restoration.earlier_jpeg import RecoveredPlane, recover_earlier_jpeg
from agarnet_jax.restoration.pixels import pixels_of_blocks
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.quality import (
    QualityMap,
    clip_quality,
    shrink_toward,
    validate_quality,
)
from agarnet_jax.restoration.request import QualitySource, Request
from agarnet_jax.restoration.traces import (
    flat_areas,
    last_compression,
    quantization_steps,
    requantization,
)
from agarnet_jax.restoration.traces.compression_history import ASSESSED_CODINGS
from agarnet_jax.restoration.traces.spurious_estimate import is_spurious_estimate

# For `_was_edited`: the lowest quality that is detected without quantization steps, and the
# estimate from which on there is hardly anything to restore.
_WITHOUT_STEPS, _NEARLY_LOSSLESS = 99, 96
_MIN_DETAILED_BLOCKS = 12  # for `_was_compressed`


@dataclasses.dataclass(frozen=True, eq=False)
class AssumedQuality:
    """The quality that an image is assumed to have.

    value: one () for all pixels, a map, or None: that of each plane's own table in the header.
    overruled: an estimate for the image that was replaced by the quality of its last compression.
    uncompressed: (⌈H / 8⌉, ⌈W / 8⌉) boolean, blocks that were never compressed and stay as they
      are; None: no such block.
    """

    value: np.ndarray | QualityMap | None
    overruled: float | None = None
    uncompressed: np.ndarray | None = None

    @classmethod
    def from_array(cls, quality: np.ndarray) -> "AssumedQuality":
        """Wraps a user's quality, () or pixel-wise (H, W)."""
        if quality.ndim == 0:
            return cls(quality)
        height, width = quality.shape
        return cls(QualityMap((height, width), lambda rows, columns: quality[rows, columns]))

    @property
    def is_from_header(self) -> bool:
        return self.value is None

    def for_plane(self, plane: Plane) -> np.ndarray | QualityMap:
        """Returns the quality of a plane: () or a map at the resolution of the image.

        Raises:
          ValueError: the quality is that of the header, but there is none.
        """
        if self.value is not None:
            return self.value
        if plane.header_quality is None:
            raise ValueError(
                "quality is 'header', but the image has no JPEG header; pass that of the file, a "
                "quality of 1–100, or 'auto' to estimate it."
            )
        return np.array(plane.header_quality, np.float32)

    def as_map(self, components: Components) -> np.ndarray:
        """Returns the quality of the primary plane for every pixel, (H, W) float32.

        It is 100 in blocks that were never compressed.
        """
        quality = self.for_plane(components.primary)
        values = quality.to_array() if isinstance(quality, QualityMap) else quality
        if self.uncompressed is None:
            return np.broadcast_to(values, components.size)
        unchanged = pixels_of_blocks(self.uncompressed, *map(slice, components.size))
        return np.where(unchanged, np.float32(MAX_QUALITY), values)


class QualityChooser:
    """Chooses the assumed quality of images.

    placement: of the estimator's cells. use_traces: see `restorer.Restorer`. uses_traces: whether
      estimates are refined by the traces that are detected in pixels.
    """

    def __init__(self, placement: CellPlacement, *, use_traces: bool):
        self._placement = placement
        self.uses_traces = use_traces and placement is CellPlacement.PLACED

    def undo_recompressions(self, components: Components, request: Request) -> Components:
        """Undoes recompressions that are detected in luma.

        Components stay as they are if the request says how the image was compressed.
        """
        known = request.quality is QualitySource.HEADER or request.table is not None
        if known or request.strength == 0 or not self.uses_traces:
            return components
        return _undo_recompressions(components, fraction=min(1.0, request.strength))

    def choose(
        self, components: Components, request: Request, cells: Callable[[], np.ndarray]
    ) -> AssumedQuality:
        """Chooses the quality of an image.

        Args:
          components: as `undo_recompressions` returns them.
          request: of the image.
          cells: computes the estimator's cells (rows, columns) of the primary plane; called only
            if they are needed.
        """
        quality = request.quality
        if quality is QualitySource.HEADER:
            return AssumedQuality(None)
        if not isinstance(quality, QualitySource):
            return AssumedQuality.from_array(validate_quality(quality, components.size))
        of_image, quality_map = self._estimate(cells(), components)
        estimate = float(of_image)
        assumed = AssumedQuality(of_image if quality is QualitySource.IMAGE else quality_map)
        if request.table is not None:
            return assumed
        if quality is QualitySource.IMAGE and components.primary.has_table_of(estimate):
            return AssumedQuality(None)  # the header is confirmed, also for chroma
        if not self.uses_traces:
            return assumed
        assumed = _replace_spurious(estimate, components) or assumed
        return dataclasses.replace(assumed, uncompressed=components.primary.uncompressed_blocks)

    def estimate(
        self, components: Components, cells: Callable[[Components], np.ndarray]
    ) -> dict[QualitySource, np.ndarray | QualityMap]:
        """Estimates the quality of an image, by source.

        cells: computes the estimator's cells (rows, columns) of the primary plane, not clipped.
        """
        if self.uses_traces:
            components = _undo_recompressions(components, fraction=1.0)
        of_image, quality_map = self._estimate(cells(components), components)
        return {QualitySource.IMAGE: of_image, QualitySource.MAP: quality_map}

    def _estimate(self, cells: np.ndarray, components: Components) -> tuple[np.ndarray, QualityMap]:
        """Returns the quality () of the image, and a map that is interpolated where it is read."""
        plane = components.primary
        if self.uses_traces:
            estimate, cells = self._refine(cells, plane)
        elif self._placement is CellPlacement.RELEASED:
            estimate = clip_quality(cells.mean())
        else:
            mean = flat_areas.mean_quality(cells, np.ones(cells.shape), plane.shape)
            estimate = clip_quality(mean)
        for axis, factor in enumerate(plane.upsampling.factors):
            cells = cells.repeat(factor, axis)  # to the resolution of the image
        size = components.size
        return estimate, QualityMap.from_cells(cells, size=size, placement=self._placement)

    def _refine(self, cells: np.ndarray, plane: Plane) -> tuple[np.ndarray, np.ndarray]:
        """Returns the estimate () for the image, and the cells, both refined by traces."""
        fractions = flat_areas.detail_fractions(plane, excluded=plane.uncompressed_blocks)
        estimate = clip_quality(flat_areas.mean_quality(cells, fractions, plane.shape))
        detected = None if _was_edited(plane, float(estimate)) else plane.detected_quality
        limit = plane.header_quality or MAX_QUALITY
        estimate, cells = np.minimum(estimate, limit), np.minimum(cells, limit)
        estimate = clip_quality(last_compression.refine_estimate(float(estimate), detected))
        cells = shrink_toward(float(estimate), last_compression.refine_cells(cells, detected))
        return estimate, flat_areas.fill_flat_cells(cells, fractions, float(estimate))


def _was_edited(plane: Plane, estimate: float) -> bool:
    """Whether the image is a JPEG whose quantization was hidden by editing after decoding.

    Where no steps are detected, the detected quality is at least 99. But uncompressed images and
    those of quality 100 have no grid, and those of 99 have steps of 2.
    """
    if plane.table is not None or plane.detected_table is not None or estimate >= _NEARLY_LOSSLESS:
        return False
    if plane.detected_quality is None or plane.detected_quality < _WITHOUT_STEPS:
        return False
    if quantization_steps.has_steps_of_99(plane):
        return False
    grid = plane.detected_grid
    return grid is not None and (grid.row, grid.column) == (0, 0)


def _was_compressed(plane: Plane) -> bool:
    """Whether there is a grid and detail in its blocks: those of enlarged pixel art are flat."""
    return (
        plane.detected_grid is not None
        and len(requantization.distinct_blocks(plane)) >= _MIN_DETAILED_BLOCKS
    )


def _replace_spurious(estimate: float, components: Components) -> AssumedQuality | None:
    """Returns the quality to assume instead of a spurious estimate; None if it is not spurious.

    That is the quality of the last compression, from the header or detected in the pixels. If
    neither gives one and there is no grid, the image was never compressed.
    """
    plane = components.primary
    if isinstance(plane, RecoveredPlane) or components.coding not in ASSESSED_CODINGS:
        return None
    known = plane.detected_quality if plane.table is None else plane.header_quality
    last = MAX_QUALITY if known is None else known
    table = quality_table(round(last)) if plane.last_table is None else plane.last_table
    if not is_spurious_estimate(plane, table=table, estimated_quality=estimate):
        return None
    if known is None and _was_compressed(plane):
        return None
    quality = np.array(last, np.float32) if plane.table is None else None
    return AssumedQuality(quality, overruled=estimate)


def _undo_recompressions(components: Components, *, fraction: float) -> Components:
    """Recovers the primary plane, and others coded like it, as they were before recompressions.

    Chroma is left as it is: each encoder subsampled it from pixels again.

    fraction: 0–1, how much of the difference is applied.
    """
    recovered = recover_earlier_jpeg(components.primary, fraction=fraction)
    if not isinstance(recovered, RecoveredPlane):
        return components
    planes = tuple(
        plane if plane.chroma else RecoveredPlane.of(plane, recovered.recompressions, fraction)
        for plane in components.planes
    )
    index = components.planes.index(components.primary)
    return dataclasses.replace(components, planes=planes, primary=planes[index])
