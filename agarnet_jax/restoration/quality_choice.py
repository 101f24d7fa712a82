"""Which quality is assumed: one given, the header's, or an estimate, as far as traces allow."""

import dataclasses
from collections.abc import Callable

import jax
import numpy as np

from agarnet_jax.jpeg_tables import MAX_QUALITY, quality_table
from agarnet_jax.models import CellPlacement, mean_over_area
from agarnet_jax.restoration.chroma_detail import Detail
from agarnet_jax.restoration.components import Components
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.quality import QualityMap, checked, in_range, steadied
from agarnet_jax.restoration.request import Orientation, QualitySource, Request
from agarnet_jax.restoration.traces import compression_history, flat_areas, quantization_steps
from agarnet_jax.restoration.traces.earlier_jpeg import RecoveredPlane, recovered
from agarnet_jax.restoration.traces.grid import find_grid

# One program for each number of cells; operation by operation there would be a dozen to compile.
_mean = jax.jit(mean_over_area, static_argnames="placement")


@dataclasses.dataclass(frozen=True, eq=False)
class Assumed:
    """The quality assumed: one (), a map, or None for that of each plane's own table.

    overruled: the estimate of one quality that the last compression's was preferred to.
    """

    quality: np.ndarray | QualityMap | None
    overruled: float | None = None

    def of_plane(self, plane: Plane) -> np.ndarray | QualityMap:
        """Returns the quality of a plane at each of the image's pixels."""
        if self.quality is not None:
            return self.quality
        if plane.header_quality is None:
            raise ValueError(
                "Quality is to come from the header, but there is none; pass the header of the "
                "JPEG file, a number, or QualitySource.IMAGE to estimate it."
            )
        return np.array(plane.header_quality, np.float32)

    def detail(self, parts: Components, request: Request) -> Detail | None:
        """Returns how much of luma's detail restored chroma gets."""
        chroma = [plane for plane in parts.planes if plane.chroma]
        if not chroma or request.strength == 0:
            return None
        quality = self.of_plane(chroma[0])
        mean = quality.mean() if isinstance(quality, QualityMap) else quality
        return Detail(min(1.0, request.strength), float(mean))

    def whole_map(self, parts: Components) -> np.ndarray:
        """Returns the quality of the leading plane, (H, W) float32."""
        quality = self.of_plane(parts.lead)
        if isinstance(quality, QualityMap):
            return quality.whole()
        return np.broadcast_to(quality, parts.size)


class QualityChoice:
    """Chooses the quality that is assumed of images.

    placement: of the estimator's cells. read_steps: as of `restorer.Restorer`. refines: whether
      estimates get what traces in pixels tell.
    """

    def __init__(self, placement: CellPlacement, *, read_steps: bool):
        self._placement = placement
        self.refines = read_steps and placement is CellPlacement.PLACED

    def prepared(self, parts: Components, request: Request) -> Components:
        """Undoes recompressions that show, unless it is stated how the image was compressed."""
        stated = request.quality is QualitySource.HEADER or request.table is not None
        upright = request.orientation is Orientation.UPRIGHT  # tables are not symmetric
        if stated or not upright or request.strength == 0 or not self.refines:
            return parts
        return _recovered(parts, share=min(1.0, request.strength))

    def assumed(
        self, parts: Components, request: Request, cells: Callable[[], np.ndarray]
    ) -> Assumed:
        """Chooses for an image as `prepared` left it.

        cells: gives the estimator's (rows, columns) of the leading plane, where they are needed.
        """
        quality = request.quality
        if quality is QualitySource.HEADER:
            return Assumed(None)
        if isinstance(quality, QualitySource):
            of_image, quality_map = self._estimates(cells(), parts)
            estimate = float(of_image)
            if quality is QualitySource.IMAGE and parts.lead.has_table_of(estimate):
                return Assumed(None)  # the header is right, and tells chroma's, too
            if self.refines and request.table is None:
                overruling = _overruling(parts, estimate)
                if overruling is not None:
                    return overruling
            return Assumed(of_image if quality is QualitySource.IMAGE else quality_map)
        return given(checked(quality, parts.size))

    def estimates(
        self, parts: Components, cells: Callable[[Components], np.ndarray]
    ) -> dict[QualitySource, np.ndarray | QualityMap]:
        """Quality by its source, of an image of which nothing else is known.

        cells: gives the estimator's (rows, columns) of the leading plane, not clipped.
        """
        if self.refines:
            parts = _recovered(parts, share=1.0)
        of_image, quality_map = self._estimates(cells(parts), parts)
        return {QualitySource.IMAGE: of_image, QualitySource.MAP: quality_map}

    def _estimates(self, cells: np.ndarray, parts: Components) -> tuple[np.ndarray, QualityMap]:
        """Estimates the quality () of the image, and a map, which is spread as it is read."""
        lead, shares, mean = parts.lead, None, None
        if self.refines:
            shares = flat_areas.shares_of_detail(lead)
            mean = flat_areas.mean_quality(cells, shares, lead.shape)
        if mean is None:
            height, width = lead.shape
            mean = _mean(
                cells[None, ..., None], height=height, width=width, placement=self._placement
            )[0]
        estimate = in_range(mean)
        if shares is not None:
            shown, most = lead.detected_quality, lead.header_quality or MAX_QUALITY
            estimate, cells = np.minimum(estimate, most), np.minimum(cells, most)
            estimate = in_range(quantization_steps.refined(float(estimate), shown))
            cells = steadied(quantization_steps.refined_cells(cells, shown), float(estimate))
            cells = flat_areas.filled(cells, shares, float(estimate))
        for axis, factor in enumerate(lead.upsampling.factors):
            cells = cells.repeat(factor, axis)  # to the resolution of the image
        return estimate, QualityMap.of_cells(cells, size=parts.size, placement=self._placement)


def given(quality: np.ndarray) -> Assumed:
    """Wraps a quality that the user gave, () or pixel-wise (H, W)."""
    if quality.ndim == 0:
        return Assumed(quality)
    height, width = quality.shape
    return Assumed(QualityMap((height, width), lambda rows, columns: quality[rows, columns]))


def _overruling(parts: Components, estimate: float) -> Assumed | None:
    """What is to be believed instead of an estimate without a trace in the pixels, if anything.

    The last compression, as far as it is known: the header's tables, or what steps show. Where
    there is neither, nor a grid, there was none.
    """
    lead = parts.lead
    if isinstance(lead, RecoveredPlane) or parts.coding not in compression_history.ASSESSED:
        return None
    known = lead.detected_quality if lead.table is None else lead.header_quality
    last = MAX_QUALITY if known is None else known
    table = quality_table(round(last)) if lead.table is None else lead.table
    if not compression_history.is_far_below(table, estimate):
        return None
    if not compression_history.contradicts(lead.levels(), table=table, estimated_quality=estimate):
        return None
    if known is None and find_grid(lead) is not None:
        return None
    quality = np.array(last, np.float32) if lead.table is None else None
    return Assumed(quality, overruled=estimate)


def _recovered(parts: Components, *, share: float) -> Components:
    """Recovers the leading plane, and others coded like it, as they were before recompressions.

    Not chroma: subsampled, it was coded anew from pixels each time.
    """
    lead = recovered(parts.lead, share=share)
    if not isinstance(lead, RecoveredPlane):
        return parts
    planes = tuple(
        plane if plane.chroma else RecoveredPlane.of(plane, lead.undone, share)
        for plane in parts.planes
    )
    return dataclasses.replace(parts, planes=planes, lead=planes[parts.planes.index(parts.lead)])
