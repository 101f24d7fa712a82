"""What a report is made of, whatever it is written as."""

import dataclasses
from collections.abc import Mapping

import numpy as np


class Gain(float):
    """A gain in dB, shown with its sign and two decimals."""

    def __str__(self) -> str:
        return f"{float(self):+.2f}"


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of cells; numbers are shown with `decimals`, None as a dash."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]
    note: str = ""  # protocol and provenance, below the table
    decimals: int = 2


@dataclasses.dataclass(frozen=True)
class Plot:
    title: str
    png: bytes
    alt: str  # what it shows, in words


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One image as it came in, as it was restored, and as it was: to be looked at.

    images: by what a person calls them, "JPEG", "AGARNet-EST", "clean" and others, the first two
      being those compared at first; all (H, W) or (H, W, 3) uint8 of one size.
    quality_map: (H, W) in 1–100, what was assumed, or None.
    """

    name: str
    note: str
    images: Mapping[str, np.ndarray]
    quality_map: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Report:
    """All that an evaluation shows.

    facts: command, date, weights and their hash, versions, … by name. warnings: shown loudly,
      before all else.
    """

    title: str
    facts: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
