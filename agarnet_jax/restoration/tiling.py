"""Applies functions of tiles to planes: cuts tiles, computes them in batches, joins the results."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

TileFunction = Callable[..., np.ndarray]  # of arrays (B, …), the first (B, tile height, width, 1)
T = TypeVar("T")

LARGEST_TILE, OVERLAP = 512, 32  # defaults of `Restorer`, which documents them
_SIDE_UNIT = 64


@dataclasses.dataclass(frozen=True)
class Span:
    """A tile along one axis: it begins at `start`; its results in [`first`, `last`) are kept."""

    start: int
    first: int
    last: int


@dataclasses.dataclass(frozen=True)
class Tiling:
    """How planes are cut into tiles.

    largest: maximum side of a tile, a multiple of `grid`; None leaves planes whole.
    overlap: how far a result may depend on pixels around it; a multiple of `grid`.
    grid: positions and sides of tiles are multiples of it.
    padding: mode of `np.pad` that extends a plane to the grid.
    scale: ratio of a tile's side to that of its result.
    """

    largest: int | None
    overlap: int
    grid: int
    padding: str
    scale: int = 1

    def side(self, length: int) -> int:
        """Returns the side of the tiles that cover a plane's side of `length`.

        That is the whole length, padded to the grid, or else an even share of it, rounded up to a
        multiple of 64 so that few tile sizes need compiling.
        """
        whole = -(-length // self.grid) * self.grid
        if self.largest is None or whole <= self.largest:
            return whole
        shared = 2 * self.overlap
        count = -(-(whole - shared) // (self.largest - shared))
        share = -(-(whole - shared) // count) + shared
        return min(self.largest, -(-share // _SIDE_UNIT) * _SIDE_UNIT)

    def spans(self, length: int) -> list[Span]:
        """Returns spans that cover [0, length) once, every result at least `overlap` from a cut.

        The last tile ends where the plane, padded to the grid, ends, and not beyond: there the
        network's own padding applies, as in training.
        """
        tile = self.side(length)
        step = (tile - 2 * self.overlap) // self.grid * self.grid
        end = -(-length // self.grid) * self.grid
        starts = [*range(0, end - tile, step), end - tile] if end > tile else [0]
        cuts = [0, *(start + self.overlap for start in starts[1:]), length]
        return [Span(*bounds) for bounds in zip(starts, cuts, cuts[1:])]

    def halved(self, length: int) -> "Tiling | None":
        """Returns a tiling whose tiles have half the side of those for planes of `length`.

        The new side is a multiple of 64. None if it would not exceed twice the overlap.
        """
        half = self.side(length) // 2 // _SIDE_UNIT * _SIDE_UNIT
        if half <= 2 * self.overlap:
            return None
        return dataclasses.replace(self, largest=half)


@dataclasses.dataclass(frozen=True, eq=False)
class Constant:
    """An input that is the same for every tile of a plane, without the batch axis."""

    value: np.ndarray


# Inputs of a function for one plane: its pixels (H, W), then further arrays of that shape or
# `Constant`. An array may be anything that has a shape and is read by [rows, columns].
PlaneInputs = Sequence[Any]


def iter_bands(
    function: TileFunction, planes: Sequence[PlaneInputs], *, tiling: Tiling, batch_size: int
) -> Iterator[np.ndarray]:
    """Applies `function` to planes of one shape, one row of tiles after the other.

    Args:
      function: takes an array for each input of a plane, (batch_size, h, w, 1), or (batch_size, …)
        for a `Constant`; its result has the shape of the first, divided by `tiling.scale`.
      planes: the inputs for each plane.
      tiling: how to cut.
      batch_size: number of tiles in a call, unless there are fewer; copies fill up the last batch.

    Yields:
      (planes, rows, ⌈W / scale⌉) float32; ⌈H / scale⌉ rows in all.
    """
    height, width = planes[0][0].shape
    shape = (tiling.side(height), tiling.side(width))
    rows, columns = tiling.spans(height), tiling.spans(width)
    tiles = itertools.product(rows, columns, planes)
    inputs = ([_cut(entry, tile, shape, tiling) for entry in plane] for *tile, plane in tiles)
    size = min(batch_size, len(rows) * len(columns) * len(planes))
    outputs = (output for batch in _batches(inputs, size) for output in _run(function, batch, size))
    for row in rows:
        kept = _kept_results(row, tiling.scale)
        band = np.empty(
            (len(planes), kept.stop - kept.start, -(-width // tiling.scale)), np.float32
        )
        for column, index in itertools.product(columns, range(len(planes))):
            output = next(outputs)[
                *(_kept_in_tile(span, tiling.scale) for span in (row, column)), 0
            ]
            band[index, :, _kept_results(column, tiling.scale)] = output
        yield band


def apply_tiled(
    function: TileFunction, plane: PlaneInputs, *, tiling: Tiling, batch_size: int
) -> np.ndarray:
    """Returns all of `iter_bands` of one plane: (⌈H / scale⌉, ⌈W / scale⌉) float32."""
    bands = iter_bands(function, [plane], tiling=tiling, batch_size=batch_size)
    return np.concatenate([band[0] for band in bands])


def apply_grouped(
    function: TileFunction,
    planes: Sequence[PlaneInputs],
    *,
    tiling: Tiling,
    batch_size: Callable[[int, int], int],
) -> list[np.ndarray]:
    """Applies `function` to planes of one tile each, batching those of equal padded shape.

    Args:
      function, tiling: see `iter_bands`.
      planes: the inputs for each plane; planes may differ in shape.
      batch_size: returns the size of the next batch for (pixels of a tile, planes left).

    Returns:
      For each plane (⌈H / scale⌉, ⌈W / scale⌉) float32.
    """
    groups: dict[tuple, list[int]] = {}
    inputs = []
    for index, plane in enumerate(planes):
        shape = [tiling.side(side) for side in plane[0].shape]
        whole = [Span(0, 0, side) for side in plane[0].shape]
        inputs.append([_cut(entry, whole, shape, tiling) for entry in plane])
        groups.setdefault(tuple(array.shape for array in inputs[-1]), []).append(index)
    results: dict[int, np.ndarray] = {}
    for shapes, remaining in groups.items():
        while remaining:
            size = batch_size(shapes[0][0] * shapes[0][1], len(remaining))
            batch, remaining = remaining[:size], remaining[size:]
            outputs = _run(function, [inputs[index] for index in batch], size)
            for index, output in zip(batch, outputs):
                rows, columns = (-(-side // tiling.scale) for side in planes[index][0].shape)
                results[index] = output[:rows, :columns, 0]
    return [results[index] for index in range(len(planes))]


class BandReader:
    """Reads rows from successive bands (planes, rows, width).

    Called with first and last rows that never decrease, it returns (planes, last − first, width)
    and drops the bands that end before.
    """

    def __init__(self, bands: Iterator[np.ndarray]):
        self._bands = bands
        self._kept: list[tuple[int, np.ndarray]] = []
        self._end = 0

    def __call__(self, first: int, last: int) -> np.ndarray:
        while self._end < last:
            band = next(self._bands)
            self._kept.append((self._end, band))
            self._end += band.shape[1]
        self._kept = [(start, band) for start, band in self._kept if start + band.shape[1] > first]
        return np.concatenate(
            [band[:, max(0, first - start) : last - start] for start, band in self._kept], axis=1
        )


def _run(function: TileFunction, batch: Sequence[Sequence[np.ndarray]], size: int) -> np.ndarray:
    """Returns the results of a batch, which is filled up to `size` with copies."""
    filled = [*batch, *[batch[-1]] * (size - len(batch))]
    return function(*map(np.stack, zip(*filled)))[: len(batch)]


def _batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(itertools.islice(items, size)):
        yield batch


def _cut(entry: Any, tile: Sequence[Span], shape: Sequence[int], tiling: Tiling) -> np.ndarray:
    """Cuts a tile out of one input of a plane, without the batch axis."""
    if isinstance(entry, Constant):
        return entry.value
    rows, columns = (slice(span.start, span.start + side) for span, side in zip(tile, shape))
    part = entry[rows, columns]
    missing = [(0, whole - side) for whole, side in zip(shape, part.shape)]
    return np.pad(part, missing, mode=tiling.padding)[..., None]  # type: ignore[call-overload]


def _kept_results(span: Span, scale: int) -> slice:
    """Returns the kept results of a tile, as positions in the plane's results."""
    return slice(span.first // scale, -(-span.last // scale))


def _kept_in_tile(span: Span, scale: int) -> slice:
    """Returns the kept results of a tile, as positions in the tile's results."""
    kept, start = _kept_results(span, scale), span.start // scale
    return slice(kept.start - start, kept.stop - start)
