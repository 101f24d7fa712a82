"""Runs image planes through the networks: tile by tile, or batched over several small images.

Falls back to smaller tiles when a device runs out of memory.
"""

import functools
import logging
import numbers
from collections.abc import Sequence
from typing import Literal, NamedTuple

import jax
import numpy as np

from agarnet_jax import weights
from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.models import CELL, CellPlacement
from agarnet_jax.restoration import memory, planning
from agarnet_jax.restoration.chroma_detail import Detail
from agarnet_jax.restoration.components import Change, Components
from agarnet_jax.restoration.earlier_jpeg import changes_to_originals
from agarnet_jax.restoration.ensemble import ensembled
from agarnet_jax.restoration.network import Networks, is_out_of_memory
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.quality import QualityMap
from agarnet_jax.restoration.quality_choice import AssumedQuality, QualityChooser
from agarnet_jax.restoration.request import QualitySource, Request
from agarnet_jax.restoration.tiling import (
    BandReader,
    PlaneInputs,
    TileFunction,
    Tiling,
    apply_grouped,
    apply_tiled,
    iter_bands,
)

# The estimator's cells depend on the 90 pixels around them.
_ESTIMATOR_TILE, _ESTIMATOR_OVERLAP = 12 * CELL, 2 * CELL
# Limits of a batch over several images, for each device.
_BATCH_PLANES, _BATCH_PIXELS = 8, 2**17

_log = logging.getLogger(__name__)


class Restoration(NamedTuple):
    """What restores an image: the changes of its planes, and the detail added in merging them."""

    assumed: AssumedQuality
    changes: list[Change]
    detail: Detail | None


class Engine:
    """Computes how planes of images change at the quality that is chosen for them.

    Arguments and errors: see `restorer.Restorer`.
    """

    def __init__(
        self,
        trained: weights.Weights,
        *,
        tile: int | Literal["auto"] | None,
        overlap: int,
        devices: Sequence[jax.Device] | None,
        use_traces: bool,
    ):
        if tile == "auto":
            used_devices = jax.local_devices() if devices is None else devices
            features = trained.restorer_config.pixel_features
            tile = memory.fitting_tile(features, used_devices, overlap=overlap)
        is_integer = isinstance(tile, numbers.Integral)
        if tile is not None and (not is_integer or tile < CELL or tile % CELL):
            raise ValueError(
                f'tile is {tile}; use a multiple of {CELL}, "auto", or None for no tiles.'
            )
        is_integer = isinstance(overlap, numbers.Integral)
        if not is_integer or overlap < 0 or overlap % BLOCK or (tile and 2 * overlap >= tile):
            raise ValueError(
                f"overlap is {overlap}; use a multiple of {BLOCK} less than half of the tile."
            )
        self._config = trained.restorer_config
        self._placement = trained.estimator_config.cells
        self._chooser = QualityChooser(self._placement, use_traces=use_traces)
        self.networks = Networks(trained, devices=devices)
        self.restorer_tiling = Tiling(tile, overlap, grid=BLOCK, padding="edge")
        self.estimator_tiling = Tiling(
            None if tile is None else _ESTIMATOR_TILE,
            _ESTIMATOR_OVERLAP,
            grid=CELL,
            padding="symmetric",
            scale=CELL,
        )

    def restore(self, components: Components, request: Request) -> Restoration:
        """Restores one image. Its changes are computed as they are read."""
        components = self._chooser.undo_recompressions(components, request)
        assumed = self._chooser.choose(components, request, lambda: self._cells(components))
        changes: list[Change] = []
        groups = planning.grouped_network_inputs(components, assumed, request, self._config)
        for group in groups:
            bands = iter_bands(
                self._change(request),
                [inputs for _, inputs in group],
                tiling=self.restorer_tiling,
                batch_size=self.networks.device_count,
            )
            changes.append(changes_to_originals([plane for plane, _ in group], BandReader(bands)))
        return Restoration(assumed, changes, planning.detail_settings(components, assumed, request))

    def restore_batch(self, images: Sequence[Components], request: Request) -> list[Restoration]:
        """Does what `restore` does for images that fit into one tile each, in shared batches."""
        images = [self._chooser.undo_recompressions(image, request) for image in images]
        cells: list[np.ndarray] = []
        if request.is_estimated:
            primaries = [[image.primary] for image in images]
            cells = self._apply_grouped(self.networks.cells, primaries, self.estimator_tiling)
        results: list[Restoration] = []
        restored: list[tuple[int, Plane]] = []
        inputs: list[PlaneInputs] = []
        for index, image in enumerate(images):
            image_cells = functools.partial(cells.__getitem__, index)
            assumed = self._chooser.choose(image, request, image_cells)
            detail = planning.detail_settings(image, assumed, request)
            results.append(Restoration(assumed, [], detail))
            for plane, plane_inputs in planning.network_inputs(
                image, assumed, request, self._config
            ):
                restored.append((index, plane))
                inputs.append(plane_inputs)
        changes = self._apply_grouped(self._change(request), inputs, self.restorer_tiling)
        for (index, plane), change in zip(restored, changes):
            reader = BandReader(iter([change[None]]))
            results[index].changes.append(changes_to_originals([plane], reader))
        return results

    def fits_into_one_tile(self, components: Components) -> bool:
        """Whether every plane does, for both networks.

        Never with released cell placement: those cells depend on the size of the whole image.
        """
        if self._placement is not CellPlacement.PLACED:
            return False
        tiled = [(self.restorer_tiling, plane) for plane in components.planes]
        tiled.append((self.estimator_tiling, components.primary))
        return all(tiling.side(side) >= side for tiling, plane in tiled for side in plane.shape)

    def use_smaller_tiles(self, error: jax.errors.JaxRuntimeError, size: tuple[int, int]) -> None:
        """Halves the tiles of all later images.

        Raises `error` again if it is not about memory, or if tiles cannot be smaller.

        size: of the image that needed too much memory.
        """
        tilings = self.restorer_tiling, self.estimator_tiling
        halved = [tiling.halved(max(size)) for tiling in tilings]
        if not is_out_of_memory(error) or halved == [None, None]:
            raise error
        self.restorer_tiling = halved[0] or self.restorer_tiling
        self.estimator_tiling = halved[1] or self.estimator_tiling
        _log.warning(
            "A device ran out of memory; continuing with tiles of %s pixels.",
            self.restorer_tiling.largest,
        )

    def estimate(self, components: Components) -> dict[QualitySource, np.ndarray | QualityMap]:
        """Estimates the quality of an image, by source."""
        return self._chooser.estimate(components, self._cells)

    def _cells(self, components: Components) -> np.ndarray:
        """Returns the estimator's cells (rows, columns) of the primary plane, not clipped."""
        if self._placement is CellPlacement.PLACED:
            return apply_tiled(
                self.networks.cells,
                [components.primary],
                tiling=self.estimator_tiling,
                batch_size=self.networks.device_count,
            )
        return self.networks.cells(components.primary[:, :][None, ..., None])[0, ..., 0]

    def _change(self, request: Request) -> TileFunction:
        change = self.networks.change
        return ensembled(change) if request.ensemble > 1 else change

    def _apply_grouped(
        self, function: TileFunction, planes: Sequence[PlaneInputs], tiling: Tiling
    ) -> list[np.ndarray]:
        devices = self.networks.device_count

        def batch_size(pixels: int, remaining: int) -> int:
            """Returns a power of 2 for each device, so that few programs are compiled."""
            if remaining < devices:
                return remaining
            per_device = min(
                _BATCH_PLANES, max(1, _BATCH_PIXELS // pixels), -(-remaining // devices)
            )
            return devices * 2 ** (per_device.bit_length() - 1)

        return apply_grouped(function, planes, tiling=tiling, batch_size=batch_size)
