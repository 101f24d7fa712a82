"""Inspects a file's compression, from its header and from its pixels."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from agarnet_jax.jpeg_tables import (
    ANNEX_K_CHROMINANCE,
    ANNEX_K_LUMINANCE,
    effective_quality,
    quality_table,
)
from agarnet_jax.restoration.alignment import Alignment
from agarnet_jax.restoration.files.image_file import ImageFile
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader
from agarnet_jax.restoration.request import QualitySource
from agarnet_jax.restoration.splitting import split
from agarnet_jax.restoration.traces import compression_history, uncompressed_graphics
from agarnet_jax.restoration.traces.earlier_grid import find_earlier_grid
from agarnet_jax.restoration.traces.grid import Grid
from agarnet_jax.restoration.traces.subsampling import Subsampling

if TYPE_CHECKING:
    from agarnet_jax.restoration.restorer import Restorer


@dataclasses.dataclass(frozen=True)
class HeaderFacts:
    """What a JPEG file's header states.

    coding: "gray", "YCbCr", "RGB", "CMYK" or "YCCK".
    subsampling: such as "4:2:0"; None without chroma.
    quality: 1–100, equivalent in loss to the first component's table (`effective_quality`).
    chroma_quality: the same for the chroma table; None without chroma.
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
    """What is known about a file's compression.

    kind, width, height: format and size as stored; warnings: problems found while reading.
    header: None unless it is a JPEG.
    quality: 1–100, estimated from the pixels after aligning them to their block grid.
    quality_range: minimum and maximum of the pixel-wise estimate.
    grid: the 8×8 block grid detected in the pixels; None if there is none.
    recompressed: whether the pixels show more than one compression; None if unknown.
    reasons: the evidence for `recompressed`.
    uncompressed: 0–1, the fraction that is text or graphics and was never compressed, as in
      screenshots.
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
    uncompressed: float

    def as_text(self) -> str:
        """Returns a few sentences, one per line."""
        lines = [f"{self.kind}, {self.width}×{self.height} pixels; {_header_text(self.header)}."]
        low, high = self.quality_range
        spread = f" ({low:.0f} to {high:.0f} locally)" if round(low) < round(high) else ""
        lines.append(f"The pixels look like JPEG quality {self.quality:.0f}{spread}.")
        lines.append(self._grid_text())
        if self.uncompressed:
            lines.append(f"{uncompressed_graphics.describe(self.uncompressed)}.")
        lines.append(self._history_text())
        lines += [f"Note: {warning}." for warning in self.warnings]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Returns the fields as plain values; `header` and `grid` become nested dictionaries."""
        return dataclasses.asdict(self)

    def _grid_text(self) -> str:
        if self.grid is None:
            return (
                "No 8×8 grid was found: the image was never compressed, was rescaled afterwards, "
                "has very little detail, or is too small."
            )
        if (self.grid.row, self.grid.column) == (0, 0):
            return "The 8×8 grid starts at the top left corner."
        position = f"row {self.grid.row}, column {self.grid.column}"
        if self.header is not None:
            return f"The most visible 8×8 grid starts at {position}: it is not this file's own."
        cause = "a JPEG was pasted into it" if self.uncompressed else "the image was cropped"
        return f"The 8×8 grid starts at {position}: {cause} after compression."

    def _history_text(self) -> str:
        if self.recompressed is None:
            return "It is unknown whether it was compressed more than once."
        if not self.recompressed:
            return "Compressed once, as far as its pixels show."
        return f"Probably compressed more than once: {'; '.join(self.reasons)}."


def inspect(image_file: ImageFile, restorer: "Restorer") -> Inspection:
    """Inspects a file that `reading.read` has read.

    Raises:
      ValueError: the restorer does not support the pixels.
    """
    pixels, header = image_file.pixels, image_file.header
    components = split(pixels, header=header, subsampling=Subsampling.S444)
    grid = components.primary.detected_grid
    alignment = Alignment.of(grid)
    if header is None and alignment.is_needed:
        components = split(alignment.apply(pixels), subsampling=Subsampling.S444)
    estimates = restorer.estimate_components(components)
    plane = components.primary
    graphics = plane.uncompressed_blocks
    quality, quality_map = (estimates[s] for s in (QualitySource.IMAGE, QualitySource.MAP))
    if header is not None:
        recompressed, reasons = _history(image_file, header, float(quality))
    elif grid is not None and graphics is None and (earlier := find_earlier_grid(plane)):
        recompressed, reasons = True, (compression_history.describe_earlier_grid(earlier),)
    else:  # without a header, only a second grid is evidence, which graphics may appear to have
        recompressed, reasons = None, ()
    width, height = image_file.size
    return Inspection(
        kind=image_file.kind,
        width=width,
        height=height,
        warnings=image_file.warnings,
        header=None if header is None else _header_facts(header),
        quality=float(quality),
        quality_range=(float(quality_map.min()), float(quality_map.max())),
        grid=grid,
        recompressed=recompressed,
        reasons=reasons,
        uncompressed=uncompressed_graphics.covered_fraction(graphics),
    )


def _history(
    image_file: ImageFile, header: JpegHeader, quality: float
) -> tuple[bool | None, tuple[str, ...]]:
    """Returns whether the file was compressed more than once, and the evidence."""
    if header.coding not in compression_history.ASSESSED_CODINGS:
        return None, ()
    component = image_file.first_component()
    history = compression_history.assess(component, header=header, estimated_quality=quality)
    return not history.single, history.reasons


def _header_facts(header: JpegHeader) -> HeaderFacts:
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
    """Returns the name of the sampling factors, such as "4:2:0", or the factors themselves."""
    (horizontal, vertical), (chroma_horizontal, chroma_vertical) = header.sampling[:2]
    try:
        return str(Subsampling((vertical / chroma_vertical, horizontal / chroma_horizontal)))
    except ValueError:
        samples = f"{chroma_horizontal}×{chroma_vertical} chroma samples"
        return f"{horizontal}×{vertical} luma to {samples}"


def _header_text(header: HeaderFacts | None) -> str:
    if header is None:
        return "no JPEG header"
    parts = [header.coding, *([header.subsampling] if header.subsampling else [])]
    coded = f"{' '.join(parts)}, {'progressive' if header.progressive else 'sequential'}"
    if header.standard_table:
        return f"{coded}; its header states quality {header.quality}"
    return f"{coded}; its custom tables lose about as much as quality {header.quality}"
