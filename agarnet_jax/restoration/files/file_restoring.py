"""The pixels of a file restored as its options say (loads JAX)."""

import dataclasses
import functools
import pathlib

import numpy as np

from agarnet_jax.restoration import consistency
from agarnet_jax.restoration.files import quality_pictures, turning, writing
from agarnet_jax.restoration.files.metadata import Metadata
from agarnet_jax.restoration.files.options import GridChoice, RestoreOptions
from agarnet_jax.restoration.files.reading import ImageFile
from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.pixels import Picture
from agarnet_jax.restoration.request import QualitySource
from agarnet_jax.restoration.restorer import Restorer
from agarnet_jax.restoration.splitting import leading_plane
from agarnet_jax.restoration.traces import compression_history
from agarnet_jax.restoration.traces.grid import Alignment, Grid, find_grid

_NO_GRID = (
    "no 8×8 grid was found, so it is taken to begin at the top left corner; "
    "a picture that never was a JPEG is better left as it is"
)


@dataclasses.dataclass(frozen=True, eq=False)
class RestoredPixels:
    """image, quality_map: as of `Restored`, lying as the file was stored. notes: for the user.

    grid: (row, column) where the first whole block begins, where it was looked for and found.
    consistent: whether the image was moved into the file's quantization intervals.
    """

    image: Picture
    quality_map: np.ndarray
    grid: tuple[int, int] | None
    consistent: bool
    notes: tuple[str, ...]


def restore(file: ImageFile, *, restorer: Restorer, options: RestoreOptions) -> RestoredPixels:
    """Restores the pixels of a file.

    Raises:
      ValueError: the restorer refuses them.
    """
    notes: list[str] = []
    grid = _grid(file, options.grid, notes)
    alignment = Alignment.of(grid) if grid is not None else Alignment(0, 0)
    moved = alignment != Alignment(0, 0)
    header = None if moved else file.header  # which says nothing of moved pixels
    restored = functools.partial(
        restorer.restore,
        quality=options.quality,
        header=header,
        strength=options.strength,
        chroma=options.chroma,
        ensemble=options.ensemble,
    )
    consistent = options.consistent and _is_single(file, header, restorer, notes)
    if consistent:
        assert header is not None  # of a file that was compressed once
        result = restored(file.pixels, bits=16)  # rounded after projection
        quality_map = result.quality_map
        image = consistency.project_image(
            result.image,
            decoded=file.pixels,
            header=header,
            chroma=options.chroma,
            bits=options.bits,
        )
    else:
        pixels = alignment.apply(file.pixels) if moved else file.pixels
        result = restored(pixels, bits=options.bits)
        image = alignment.undo(result.image) if moved else result.image
        quality_map = alignment.undo(result.quality_map)
    if result.overruled is not None:
        notes.append(
            f"its pixels look like quality {result.overruled:.0f}, but show no trace of such a "
            f"compression, as drawings and text do; so quality {result.quality_map.mean():.0f} was "
            f"assumed (--quality {result.overruled:.0f} for the other)"
        )
    return RestoredPixels(
        image=image,
        quality_map=quality_map,
        grid=None if grid is None else (grid.row, grid.column),
        consistent=consistent,
        notes=tuple(notes),
    )


def _is_single(
    file: ImageFile, header: JpegHeader | None, restorer: Restorer, notes: list[str]
) -> bool:
    """Whether consistency with the file is right."""
    if header is None:
        notes.append("--consistent is for JPEG files with their own grid, so it was not applied")
        return False
    of_image = QualitySource.IMAGE
    estimate = restorer.estimate(file.pixels, header=header, sources=[of_image])[of_image]
    history = compression_history.assess(
        file.first_component(), header=header, estimated_quality=float(estimate)
    )
    if not history.single:
        notes.append(f"--consistent was not applied: {'; '.join(history.reasons)}")
    return history.single


def _grid(file: ImageFile, choice: GridChoice, notes: list[str]) -> Grid | None:
    looks = choice is GridChoice.FIND or (choice is GridChoice.AUTO and file.header is None)
    if not looks:
        return None
    grid = find_grid(leading_plane(file.pixels))
    if grid is None:
        notes.append(_NO_GRID)
    return grid


def write_pictures(
    file: ImageFile,
    outcome: RestoredPixels,
    *,
    quality_map: pathlib.Path | None,
    comparison: pathlib.Path | None,
) -> None:
    """Writes the quality map and the comparison of before and after, upright, where wanted.

    Raises:
      InputError: one of them cannot be written.
    """
    orientation = file.metadata.orientation
    assumed = np.asarray(turning.upright(outcome.quality_map, orientation=orientation))
    if quality_map is not None:
        picture = quality_pictures.map_picture(assumed)
        writing.write(picture, quality_map, metadata=Metadata())
    if comparison is not None:
        before, after = (
            turning.upright(pixels, orientation=orientation)
            for pixels in (file.pixels, outcome.image)
        )
        picture = quality_pictures.comparison(before, after, assumed)
        writing.write(picture, comparison, metadata=Metadata())
