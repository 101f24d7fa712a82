"""Functions of tiles applied to planes: cut, compute in batches, put together downwards."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

TileFunction = Callable[..., np.ndarray]  # of arrays (B, …), the first (B, tile height, width, 1)
T = TypeVar("T")

LARGEST_TILE, OVERLAP = 512, 32  # a restorer's, unless it is told others; see `Restorer`
_SHARE_UNIT = 64


@dataclasses.dataclass(frozen=True)
class Span:
    """Along one axis: a tile begins at `start`, and its results count in [`first`, `last`)."""

    start: int
    first: int
    last: int


@dataclasses.dataclass(frozen=True)
class Tiling:
    """How planes are cut.

    largest: side of a tile, a multiple of `grid`; None leaves planes whole.
    overlap: how far a result may depend on pixels around it; a multiple of `grid`.
    grid: what tiles are aligned to.
    padding: mode of `np.pad` that continues the plane to the grid.
    scale: how many times smaller than the tile its result is.
    """

    largest: int | None
    overlap: int
    grid: int
    padding: str
    scale: int = 1

    def side(self, length: int) -> int:
        """The tile for a plane's side: all of it, up to the grid, or about an even share.

        Shares are rounded up to 64: planes of many sizes have few sizes of tiles to compile for.
        """
        whole = -(-length // self.grid) * self.grid
        if self.largest is None or whole <= self.largest:
            return whole
        shared = 2 * self.overlap
        count = -(-(whole - shared) // (self.largest - shared))
        share = -(-(whole - shared) // count) + shared
        return min(self.largest, -(-share // _SHARE_UNIT) * _SHARE_UNIT)

    def spans(self, length: int) -> list[Span]:
        """Spans that cover [0, length) once, every result at least `overlap` from a cut.

        The last tile ends where the plane does, up to the grid, and not beyond: the border of
        the image is where the network pads, as it learned to.
        """
        tile = self.side(length)
        step = (tile - 2 * self.overlap) // self.grid * self.grid
        end = -(-length // self.grid) * self.grid
        starts = [*range(0, end - tile, step), end - tile] if end > tile else [0]
        cuts = [0, *(start + self.overlap for start in starts[1:]), length]
        return [Span(*bounds) for bounds in zip(starts, cuts, cuts[1:])]

    def halved(self, length: int, *, unit: int) -> "Tiling | None":
        """Returns a tiling of half the side for planes of sides up to `length`; None: too small.

        Tiles stay multiples of `unit` and have results of their own within the overlap.
        """
        half = self.side(length) // 2 // unit * unit
        if half <= 2 * self.overlap:
            return None
        return dataclasses.replace(self, largest=half)


@dataclasses.dataclass(frozen=True, eq=False)
class Everywhere:
    """What a function gets of every tile of a plane as it is, without the axis of the batch."""

    value: np.ndarray


# What a function gets of a plane: first its pixels (H, W), then more of that shape, or Everywhere.
# Anything with a shape that is read by [rows, columns] will do.
Layer = Sequence[Any]


def bands(
    function: TileFunction, layers: Sequence[Layer], *, tiling: Tiling, batch_size: int
) -> Iterator[np.ndarray]:
    """What `function` makes of planes of one shape, from top to bottom.

    Args:
      function: of an array for each entry of a layer, (batch_size, …), (batch_size, h, w, 1) for
        entries that are cut; with a result of the first one's shape divided by `tiling.scale`.
      layers: the planes.
      tiling: how to cut.
      batch_size: tiles at a time, if there are so many; the last batch is filled up with copies.

    Yields:
      (planes, rows, ⌈W / scale⌉) float32; in all ⌈H / scale⌉ rows.
    """
    height, width = layers[0][0].shape
    shape = (tiling.side(height), tiling.side(width))
    rows, columns = tiling.spans(height), tiling.spans(width)
    places = itertools.product(rows, columns, layers)
    inputs = ([_cut(entry, tile, shape, tiling) for entry in layer] for *tile, layer in places)
    size = min(batch_size, len(rows) * len(columns) * len(layers))
    outputs = (output for batch in _batches(inputs, size) for output in _run(function, batch, size))
    for row in rows:
        counting = _scaled(row, tiling.scale)
        band = np.empty(
            (len(layers), counting.stop - counting.start, -(-width // tiling.scale)), np.float32
        )
        for column, number in itertools.product(columns, range(len(layers))):
            output = next(outputs)[*(_counting(span, tiling.scale) for span in (row, column)), 0]
            band[number, :, _scaled(column, tiling.scale)] = output
        yield band


def apply_tiled(
    function: TileFunction, layer: Layer, *, tiling: Tiling, batch_size: int
) -> np.ndarray:
    """All of `bands` of one plane: (⌈H / scale⌉, ⌈W / scale⌉) float32."""
    pieces = bands(function, [layer], tiling=tiling, batch_size=batch_size)
    return np.concatenate([band[0] for band in pieces])


def apply_grouped(
    function: TileFunction,
    layers: Sequence[Layer],
    *,
    tiling: Tiling,
    batch_size: Callable[[int, int], int],
) -> list[np.ndarray]:
    """What `function` makes of planes that are one tile each: equal padded shapes share calls.

    Args:
      function, tiling: as of `bands`.
      layers: planes of any shapes.
      batch_size: how many of them at a time, by tile shape and how many there are.

    Returns:
      For each plane (⌈H / scale⌉, ⌈W / scale⌉) float32.
    """
    groups: dict[tuple, list[int]] = {}
    inputs = []
    for number, layer in enumerate(layers):
        shape = [tiling.side(side) for side in layer[0].shape]
        whole = (Span(0, 0, layer[0].shape[0]), Span(0, 0, layer[0].shape[1]))
        inputs.append([_cut(entry, whole, shape, tiling) for entry in layer])
        groups.setdefault(tuple(array.shape for array in inputs[-1]), []).append(number)
    results: dict[int, np.ndarray] = {}
    for shapes, numbers in groups.items():
        waiting = numbers
        while waiting:
            size = batch_size(shapes[0][0] * shapes[0][1], len(waiting))
            chunk, waiting = waiting[:size], waiting[size:]
            outputs = _run(function, [inputs[number] for number in chunk], size)
            for number, output in zip(chunk, outputs):
                rows, columns = (-(-side // tiling.scale) for side in layers[number][0].shape)
                results[number] = output[:rows, :columns, 0]
    return [results[number] for number in range(len(layers))]


class BandRows:
    """Rows of bands (planes, rows, width) that come one after another.

    Called with first and last rows that never decrease, it returns (planes, last − first, width)
    and forgets the bands that end before.
    """

    def __init__(self, source: Iterator[np.ndarray]):
        self._source = source
        self._kept: list[tuple[int, np.ndarray]] = []
        self._end = 0

    def __call__(self, first: int, last: int) -> np.ndarray:
        while self._end < last:
            band = next(self._source)
            self._kept.append((self._end, band))
            self._end += band.shape[1]
        self._kept = [(start, band) for start, band in self._kept if start + band.shape[1] > first]
        return np.concatenate(
            [band[:, max(0, first - start) : last - start] for start, band in self._kept], axis=1
        )


def whole_rows(result: np.ndarray) -> Callable[[int, int], np.ndarray]:
    """Reads rows as `BandRows` does, of one plane (H, W) that is there already."""
    return lambda first, last: result[None, first:last]


def _run(function: TileFunction, batch: Sequence[Sequence[np.ndarray]], size: int) -> np.ndarray:
    """Returns the results of a batch, which is filled up to `size` with copies."""
    filled = [*batch, *[batch[-1]] * (size - len(batch))]
    return function(*map(np.stack, zip(*filled)))[: len(batch)]


def _batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(itertools.islice(items, size)):
        yield batch


def _cut(entry: Any, tile: Sequence[Span], shape: Sequence[int], tiling: Tiling) -> np.ndarray:
    """Cuts one tile of an entry of a layer, without the axis of the batch."""
    if isinstance(entry, Everywhere):
        return entry.value
    rows, columns = (slice(span.start, span.start + side) for span, side in zip(tile, shape))
    part = entry[rows, columns]
    missing = [(0, whole - side) for whole, side in zip(shape, part.shape)]
    return np.pad(part, missing, mode=tiling.padding)[..., None]  # type: ignore[call-overload]


def _scaled(span: Span, scale: int) -> slice:
    """Returns where a span's results count, in results."""
    return slice(span.first // scale, -(-span.last // scale))


def _counting(span: Span, scale: int) -> slice:
    """Returns the part of a tile's results that counts."""
    place, start = _scaled(span, scale), span.start // scale
    return slice(place.start - start, place.stop - start)
