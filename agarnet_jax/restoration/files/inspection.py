"""What is known of a file's compression: from its header, and from its pixels."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from agarnet_jax.jpeg_tables import (
    ANNEX_K_CHROMINANCE,
    ANNEX_K_LUMINANCE,
    effective_quality,
    quality_table,
)
from agarnet_jax.restoration.files.reading import ImageFile
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader
from agarnet_jax.restoration.request import QualitySource
from agarnet_jax.restoration.splitting import leading_plane
from agarnet_jax.restoration.traces import compression_history
from agarnet_jax.restoration.traces.earlier_grid import find_earlier_grid
from agarnet_jax.restoration.traces.grid import Alignment, Grid, find_grid
from agarnet_jax.restoration.traces.subsampling import Subsampling

if TYPE_CHECKING:
    from agarnet_jax.restoration.restorer import Restorer


@dataclasses.dataclass(frozen=True)
class HeaderFacts:
    """What a JPEG file states.

    coding: "gray", "YCbCr", "RGB", "CMYK" or "YCCK".
    subsampling: as "4:2:0"; None without chroma.
    quality: 1–100, which loses as much as the first component's table (`effective_quality`).
    chroma_quality: so, of the table of chroma; None without chroma.
    standard_table: whether the first table is exactly what the IJG library writes for `quality`.
    """

    coding: str
    progressive: bool
    subsampling: str | None
    quality: int
    chroma_quality: int | None
    standard_table: bool


@dataclasses.dataclass(frozen=True)
class Inspection:
    """A file's compression.

    kind, width, height: of the file, as stored; warnings: what was odd about it.
    header: None unless it is a JPEG.
    quality: 1–100, estimated from the pixels, their grid brought to the corner.
    quality_range: lowest and highest of the pixel-wise estimate.
    grid: the 8×8 grid that the pixels show, None where they show none.
    recompressed: whether they show more than one compression; None: cannot be told.
    reasons: why so.
    """

    kind: str
    width: int
    height: int
    warnings: tuple[str, ...]
    header: HeaderFacts | None
    quality: float
    quality_range: tuple[float, float]
    grid: Grid | None
    recompressed: bool | None
    reasons: tuple[str, ...]

    def words(self) -> str:
        """A few sentences, one a line."""
        lines = [f"{self.kind}, {self.width}×{self.height} pixels; {_header_words(self.header)}."]
        low, high = self.quality_range
        spread = f", {low:.0f} to {high:.0f} in places" if round(low) < round(high) else ""
        lines.append(f"The pixels look like JPEG quality {self.quality:.0f}{spread}.")
        lines.append(self._grid_words())
        lines.append(self._history_words())
        lines += [f"Note: {warning}." for warning in self.warnings]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Plain values, by the names of the fields; those of `header` and `grid` beneath."""
        return dataclasses.asdict(self)

    def _grid_words(self) -> str:
        if self.grid is None:
            return (
                "No 8×8 grid shows: never compressed, rescaled since, of very little detail, or "
                "too small."
            )
        if (self.grid.row, self.grid.column) == (0, 0):
            return "The 8×8 grid begins at the top left corner."
        place = f"row {self.grid.row}, column {self.grid.column}"
        if self.header is not None:
            return f"The grid that shows most begins at {place}: not that of this file."
        return f"The 8×8 grid begins at {place}: cropped after compression."

    def _history_words(self) -> str:
        if self.recompressed is None:
            return "Whether it was compressed more than once cannot be told."
        if not self.recompressed:
            return "Compressed once, as far as pixels show."
        return f"Probably compressed more than once: {'; '.join(self.reasons)}."


def inspect(image_file: ImageFile, restorer: "Restorer") -> Inspection:
    """Looks at a file that `reading.read` has read.

    Raises:
      ValueError: the pixels are of a kind that cannot be restored either.
    """
    pixels, header = image_file.pixels, image_file.header
    grid = find_grid(leading_plane(pixels))
    if header is None and grid is not None:
        pixels = Alignment.of(grid).apply(pixels)
    estimated = restorer.estimate(pixels, header=header)
    quality, quality_map = (estimated[s] for s in (QualitySource.IMAGE, QualitySource.MAP))
    if header is not None:
        recompressed, reasons = _history(image_file, header, float(quality))
    elif grid is not None and (earlier := find_earlier_grid(leading_plane(pixels))):
        recompressed, reasons = True, (compression_history.other_grid(earlier),)
    else:  # without the table of the last compression, only another grid tells
        recompressed, reasons = None, ()
    width, height = image_file.size
    return Inspection(
        kind=image_file.kind,
        width=width,
        height=height,
        warnings=image_file.warnings,
        header=None if header is None else _facts(header),
        quality=float(quality),
        quality_range=(float(quality_map.min()), float(quality_map.max())),
        grid=grid,
        recompressed=recompressed,
        reasons=reasons,
    )


def _history(
    image_file: ImageFile, header: JpegHeader, quality: float
) -> tuple[bool | None, tuple[str, ...]]:
    """Whether it was compressed more than once, and why."""
    if header.coding not in compression_history.ASSESSED:
        return None, ()
    component = image_file.first_component()
    found = compression_history.assess(component, header=header, estimated_quality=quality)
    return not found.single, found.reasons


def _facts(header: JpegHeader) -> HeaderFacts:
    table = header.tables[0]
    quality = effective_quality(table)
    has_chroma = header.coding in (Coding.YCBCR, Coding.YCCK)
    return HeaderFacts(
        coding=str(header.coding),
        progressive=header.progressive,
        subsampling=_subsampling(header) if has_chroma else None,
        quality=quality,
        chroma_quality=(
            effective_quality(header.tables[1], base=ANNEX_K_CHROMINANCE) if has_chroma else None
        ),
        standard_table=bool(np.array_equal(table, quality_table(quality, base=ANNEX_K_LUMINANCE))),
    )


def _subsampling(header: JpegHeader) -> str:
    """Names sampling factors, as "4:2:0", or lists them where they have no such name."""
    (horizontal, vertical), (chroma_horizontal, chroma_vertical) = header.sampling[:2]
    factors = vertical / chroma_vertical, horizontal / chroma_horizontal
    for subsampling in Subsampling:
        if subsampling.factors == factors:
            return subsampling.value
    return f"{horizontal}×{vertical} luma to {chroma_horizontal}×{chroma_vertical} chroma samples"


def _header_words(header: HeaderFacts | None) -> str:
    if header is None:
        return "the file states no JPEG compression"
    parts = [header.coding, *([header.subsampling] if header.subsampling else [])]
    coded = f"{' '.join(parts)}, {'progressive' if header.progressive else 'sequential'}"
    if header.standard_table:
        return f"{coded}; its header says quality {header.quality}"
    return f"{coded}; its own tables lose about as much as quality {header.quality}"
