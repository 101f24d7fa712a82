"""Functions of image tiles applied to whole images: cut, compute in batches, put together."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

TileFunction = Callable[..., np.ndarray]  # of arrays (B, tile height, tile width, 1)


@dataclasses.dataclass(frozen=True)
class Span:
    """Along one axis: a tile begins at `start`, and its results count in [`first`, `last`)."""

    start: int
    first: int
    last: int


@dataclasses.dataclass(frozen=True)
class Tiling:
    """How images are cut.

    largest: side of a tile, a multiple of `grid`; None leaves images whole.
    overlap: how far a result may depend on pixels around it; a multiple of `grid`.
    grid: what tiles are aligned to.
    padding: mode of `np.pad` that continues the image to the grid.
    scale: how many times smaller than the tile its result is.
    """

    largest: int | None
    overlap: int
    grid: int
    padding: str
    scale: int = 1

    def side(self, length: int) -> int:
        """The tile for an image's side: all of it, up to the grid, or `largest`."""
        whole = -(-length // self.grid) * self.grid
        return whole if self.largest is None else min(whole, self.largest)

    def spans(self, length: int) -> list[Span]:
        """Spans that cover [0, length) once, every result at least `overlap` from a cut.

        The last tile ends where the image does, up to the grid, and not beyond: the border of
        the image is where the network pads, as it learned to.
        """
        tile = self.side(length)
        step = (tile - 2 * self.overlap) // self.grid * self.grid
        end = -(-length // self.grid) * self.grid
        starts = [*range(0, end - tile, step), end - tile] if end > tile else [0]
        cuts = [0, *(start + self.overlap for start in starts[1:]), length]
        return [Span(*bounds) for bounds in zip(starts, cuts, cuts[1:])]


def apply_tiled(
    function: TileFunction, planes: Sequence[np.ndarray], *, tiling: Tiling, batch_size: int
) -> np.ndarray:
    """What `function` makes of an image, computed in batches of tiles.

    Args:
      function: of one (batch_size, …, …, 1) array for each plane, with a result of the first
        one's shape divided by `tiling.scale`.
      planes: the image (H, W), and others of its shape, or () for a constant.
      tiling: how to cut.
      batch_size: tiles at a time; the last batch is filled up with copies.

    Returns:
      (⌈H / scale⌉, ⌈W / scale⌉) float32.
    """
    size = planes[0].shape
    shape = [tiling.side(length) for length in size]
    result = np.empty([-(-length // tiling.scale) for length in size], np.float32)
    tiles = [(row, column) for row in tiling.spans(size[0]) for column in tiling.spans(size[1])]
    for first in range(0, len(tiles), batch_size):
        batch = tiles[first : first + batch_size]
        filled = [batch[min(i, len(batch) - 1)] for i in range(batch_size)]
        inputs = [
            np.stack([_cut(plane, tile, shape, tiling.padding) for tile in filled])[..., None]
            for plane in planes
        ]
        for tile, output in zip(batch, function(*inputs)):
            _paste(output[..., 0], tile, result, tiling.scale)
    return result


def _cut(
    plane: np.ndarray, tile: tuple[Span, Span], shape: Sequence[int], padding: str
) -> np.ndarray:
    if plane.ndim == 0:
        return plane.reshape(1, 1)
    rows, columns = (slice(span.start, span.start + side) for span, side in zip(tile, shape))
    part = plane[rows, columns]
    missing = [(0, whole - side) for whole, side in zip(shape, part.shape)]
    return np.pad(part, missing, mode=padding)  # type: ignore[call-overload]


def _paste(output: np.ndarray, tile: tuple[Span, Span], result: np.ndarray, scale: int) -> None:
    """Copies what counts of a tile's output to its place."""
    place = tuple(slice(span.first // scale, -(-span.last // scale)) for span in tile)
    inside = tuple(
        slice(part.start - span.start // scale, part.stop - span.start // scale)
        for part, span in zip(place, tile)
    )
    result[place] = output[inside]
