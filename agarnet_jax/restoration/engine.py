"""Planes through the networks: in tiles, or several images at a time; smaller when memory lacks."""

import functools
import logging
import numbers
from collections.abc import Sequence
from typing import Literal

import jax
import numpy as np

from agarnet_jax import weights
from agarnet_jax.jpeg_tables import BLOCK
from agarnet_jax.models import CELL, CellPlacement
from agarnet_jax.restoration import memory, planning
from agarnet_jax.restoration.components import Change, Components
from agarnet_jax.restoration.ensemble import ensembled
from agarnet_jax.restoration.network import Networks, is_out_of_memory
from agarnet_jax.restoration.plane import Plane
from agarnet_jax.restoration.quality import QualityMap
from agarnet_jax.restoration.quality_choice import Assumed, QualityChoice
from agarnet_jax.restoration.request import QualitySource, Request
from agarnet_jax.restoration.tiling import (
    BandRows,
    Layer,
    TileFunction,
    Tiling,
    apply_grouped,
    apply_tiled,
    bands,
    whole_rows,
)
from agarnet_jax.restoration.traces.earlier_jpeg import changes_of_originals

# Its cells see 90 pixels around them.
_ESTIMATOR_TILE, _ESTIMATOR_OVERLAP = 12 * CELL, 2 * CELL
# Of images computed together: most planes for each device at a time, and most of their pixels.
_BATCH, _BATCH_PIXELS = 8, 2**17

Computed = tuple[Assumed, list[Change]]
_log = logging.getLogger(__name__)


class Engine:
    """Computes what changes in the planes of images, at the quality that is chosen for them.

    Args, errors: as of `restorer.Restorer`.
    """

    def __init__(
        self,
        trained: weights.Weights,
        *,
        tile: int | Literal["auto"] | None,
        overlap: int,
        devices: Sequence[jax.Device] | None,
        read_steps: bool,
    ):
        if tile == "auto":
            on = jax.local_devices() if devices is None else devices
            features = trained.restorer_config.pixel_features
            tile = memory.fitting_tile(features, on, overlap=overlap)
        whole = isinstance(tile, numbers.Integral)
        if tile is not None and (not whole or tile < CELL or tile % CELL):
            raise ValueError(
                f'tile is {tile}; use a multiple of {CELL}, "auto", or None for no tiles.'
            )
        whole = isinstance(overlap, numbers.Integral)
        if not whole or overlap < 0 or overlap % BLOCK or (tile and 2 * overlap >= tile):
            raise ValueError(f"overlap is {overlap}; use a multiple of 8 below half of the tile.")
        self._config = trained.restorer_config
        self._placement = trained.estimator_config.cells
        self._choice = QualityChoice(self._placement, read_steps=read_steps)
        self.networks = Networks(trained, devices=devices)
        self._restoring = Tiling(tile, overlap, grid=BLOCK, padding="edge")
        self._estimating = Tiling(
            None if tile is None else _ESTIMATOR_TILE,
            _ESTIMATOR_OVERLAP,
            grid=CELL,
            padding="symmetric",
            scale=CELL,
        )

    def computed(self, parts: Components, request: Request) -> Computed:
        """Quality and changes of one image; the changes are computed when they are read."""
        parts = self._choice.prepared(parts, request)
        assumed = self._choice.assumed(parts, request, lambda: self._cells(parts))
        changes: list[Change] = []
        for group in planning.groups(parts, assumed, request, self._config):
            pieces = bands(
                self._change(request),
                [layer for _, layer in group],
                tiling=self._restoring,
                batch_size=self.networks.device_count,
            )
            changes.append(changes_of_originals([plane for plane, _ in group], BandRows(pieces)))
        return assumed, changes

    def computed_together(self, images: Sequence[Components], request: Request) -> list[Computed]:
        """Does what `computed` does for images of one tile each (`is_one_tile`), all at once."""
        images = [self._choice.prepared(parts, request) for parts in images]
        cells: list[np.ndarray] = []
        if request.is_estimated:
            leads = [[parts.lead] for parts in images]
            cells = self._grouped(self.networks.cells, leads, self._estimating)
        results: list[Computed] = []
        planned: list[tuple[int, Plane]] = []
        layers: list[Layer] = []
        for number, parts in enumerate(images):
            given_cells = functools.partial(cells.__getitem__, number)
            assumed = self._choice.assumed(parts, request, given_cells)
            results.append((assumed, []))
            for plane, layer in planning.layers(parts, assumed, request, self._config):
                planned.append((number, plane))
                layers.append(layer)
        changes = self._grouped(self._change(request), layers, self._restoring)
        for (number, plane), change in zip(planned, changes):
            results[number][1].append(changes_of_originals([plane], whole_rows(change)))
        return results

    def is_one_tile(self, parts: Components) -> bool:
        """Whether every plane is."""
        if self._placement is not CellPlacement.PLACED:
            return False
        planes = [(self._estimating, parts.lead), *((self._restoring, p) for p in parts.planes)]
        return all(t.side(side) >= side for t, plane in planes for side in plane.shape)

    def use_smaller_tiles(self, error: jax.errors.JaxRuntimeError, size: tuple[int, int]) -> None:
        """Halves the tiles of all later images.

        Raises `error` again where it is not lack of memory, or tiles cannot be smaller.

        size: of the image that was too much.
        """
        tilings = self._restoring, self._estimating
        halved = [tiling.halved(max(size), unit=CELL) for tiling in tilings]
        if not is_out_of_memory(error) or halved == [None, None]:
            raise error
        self._restoring = halved[0] or self._restoring
        self._estimating = halved[1] or self._estimating
        _log.warning(
            "A device ran out of memory; going on with tiles of %s pixels.", self._restoring.largest
        )

    def estimates(self, parts: Components) -> dict[QualitySource, np.ndarray | QualityMap]:
        """Quality by its source, of an image of which nothing else is known."""
        return self._choice.estimates(parts, self._cells)

    def _cells(self, parts: Components) -> np.ndarray:
        """The estimator's cells (rows, columns) of the leading plane, not clipped."""
        if self._placement is CellPlacement.PLACED:
            return apply_tiled(
                self.networks.cells,
                [parts.lead],
                tiling=self._estimating,
                batch_size=self.networks.device_count,
            )
        # The released graph's cells stretch over a whole image.
        return self.networks.cells(parts.lead[:, :][None, ..., None])[0, ..., 0]

    def _change(self, request: Request) -> TileFunction:
        change = self.networks.change
        return ensembled(change) if request.ensemble > 1 else change

    def _grouped(
        self, function: TileFunction, layers: Sequence[Layer], tiling: Tiling
    ) -> list[np.ndarray]:
        devices = self.networks.device_count

        def batch_size(pixels: int, waiting: int) -> int:
            """A power of 2 for each device, so that there are few programs to compile."""
            if waiting < devices:
                return waiting
            each = min(_BATCH, max(1, _BATCH_PIXELS // pixels), -(-waiting // devices))
            return devices * 2 ** (each.bit_length() - 1)

        return apply_grouped(function, layers, tiling=tiling, batch_size=batch_size)
