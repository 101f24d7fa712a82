"""Restores the pixels of a decoded file as the options ask (loads JAX)."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator

import numpy as np

from agarnet_jax.jpeg_tables import MAX_QUALITY
from agarnet_jax.restoration import consistency
from agarnet_jax.restoration.alignment import Alignment
from agarnet_jax.restoration.files import exif_transpose, visualization, writing
from agarnet_jax.restoration.files.image_file import ImageFile
from agarnet_jax.restoration.files.metadata import Metadata
from agarnet_jax.restoration.files.options import GridChoice, RestoreOptions
from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.pixels import ImageLike
from agarnet_jax.restoration.request import QualitySource
from agarnet_jax.restoration.restored import Restored
from agarnet_jax.restoration.restorer import Restorer
from agarnet_jax.restoration.splitting import primary_plane
from agarnet_jax.restoration.traces import compression_history, uncompressed_graphics
from agarnet_jax.restoration.traces.grid import Grid

_NO_GRID = (
    "no 8×8 grid was found, so it is assumed to start at the top left corner; "
    "an image that was never a JPEG is better left unrestored"
)


@dataclasses.dataclass(frozen=True, eq=False)
class RestoredPixels:
    """The restored pixels of a file.

    image, quality_map: as in `Restored`, in the file's stored orientation.
    uncompressed: as in `Restored`.
    grid: (row, column) where the first whole block starts; None if not searched for or not found.
    consistent: whether the image was projected onto the file's quantization intervals.
    notes: for the user.
    """

    image: ImageLike
    quality_map: np.ndarray
    uncompressed: float
    grid: tuple[int, int] | None
    consistent: bool
    notes: tuple[str, ...]

    def qualities(self) -> np.ndarray:
        """Returns the assumed quality of all pixels that were compressed, in any shape."""
        is_compressed = self.quality_map < MAX_QUALITY
        some_were_not = self.uncompressed and is_compressed.any()
        return self.quality_map[is_compressed] if some_were_not else self.quality_map


def restore(file: ImageFile, *, restorer: Restorer, options: RestoreOptions) -> RestoredPixels:
    """Restores the pixels of a file.

    Raises:
      ValueError: the restorer does not support them.
    """
    notes: list[str] = []
    grid = _grid(file, options.grid, notes)
    alignment = Alignment.of(grid)
    header = None if alignment.is_needed else file.header  # which describes the grid at the corner
    restore_image = functools.partial(
        restorer.restore,
        quality=options.quality,
        header=header,
        strength=options.strength,
        chroma=options.chroma,
        ensemble=options.ensemble,
    )
    consistent = options.consistent and _is_single(file, header, restorer, notes)
    if consistent:
        assert header is not None  # `_is_single` requires one
        result = restore_image(file.pixels, bits=16)  # `bits` are rounded to after projection
        quality_map = result.quality_map
        image = consistency.project_image(
            result.image,
            decoded=file.pixels,
            header=header,
            chroma=options.chroma,
            bits=options.bits,
        )
    else:
        result = restore_image(alignment.apply(file.pixels), bits=options.bits)
        image = alignment.undo(result.image)
        quality_map = alignment.undo(result.quality_map)
    return RestoredPixels(
        image=image,
        quality_map=quality_map,
        uncompressed=result.uncompressed,
        grid=None if grid is None else (grid.row, grid.column),
        consistent=consistent,
        notes=(*notes, *_notes_on_quality(result)),
    )


def _notes_on_quality(result: Restored) -> Iterator[str]:
    """Yields what the user would not expect of the quality that was assumed."""
    if result.overruled is not None:
        yield (
            f"its pixels look like quality {result.overruled:.0f} but show no trace of such a "
            "compression, as is typical of graphics and text; quality "
            f"{result.quality_map.min():.0f} was assumed (use --quality {result.overruled:.0f} to "
            "override)"
        )
    if result.uncompressed:
        yield (
            f"{uncompressed_graphics.describe(result.uncompressed)} and stays as it is (use "
            "--quality N to restore everything)"
        )


def _is_single(
    file: ImageFile, header: JpegHeader | None, restorer: Restorer, notes: list[str]
) -> bool:
    """Returns whether the file was compressed once, so that consistency with it is justified."""
    if header is None:
        notes.append("--consistent was not applied: it requires a JPEG file on its own 8×8 grid")
        return False
    source = QualitySource.IMAGE
    estimate = restorer.estimate(file.pixels, header=header, sources=[source])[source]
    history = compression_history.assess(
        file.first_component(), header=header, estimated_quality=float(estimate)
    )
    if not history.single:
        notes.append(f"--consistent was not applied: {'; '.join(history.reasons)}")
    return history.single


def _grid(file: ImageFile, choice: GridChoice, notes: list[str]) -> Grid | None:
    if choice is GridChoice.NONE or (choice is GridChoice.AUTO and file.header is not None):
        return None
    grid = primary_plane(file.pixels).detected_grid
    if grid is None:
        notes.append(_NO_GRID)
    return grid


def write_visualizations(
    file: ImageFile,
    outcome: RestoredPixels,
    *,
    quality_map: pathlib.Path | None,
    comparison: pathlib.Path | None,
) -> None:
    """Writes the requested visualizations, upright: the quality map, and before and after.

    Raises:
      InputError: a file cannot be written.
    """
    orientation = file.metadata.orientation
    assumed = np.asarray(exif_transpose.upright(outcome.quality_map, orientation=orientation))
    if quality_map is not None:
        rendered = visualization.map_image(assumed)
        writing.write(rendered, quality_map, metadata=Metadata())
    if comparison is not None:
        before, after = (
            exif_transpose.upright(pixels, orientation=orientation)
            for pixels in (file.pixels, outcome.image)
        )
        rendered = visualization.comparison(before, after, assumed)
        writing.write(rendered, comparison, metadata=Metadata())
