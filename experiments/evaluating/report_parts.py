"""The parts of a report, independent of its file format."""

import dataclasses
from collections.abc import Mapping

import numpy as np


class Gain(float):
    """A gain in dB, shown with a sign and two decimals."""

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
    alt: str  # a textual description


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Versions of one image to compare: degraded, restored by each method, and clean.

    images: by name, such as "JPEG", "AGARNet-EST" and "clean"; all (H, W) or (H, W, 3) uint8 of the
      same size. The first two are compared initially.
    quality_map: the assumed quality 1–100, (H, W).
    """

    name: str
    note: str
    images: Mapping[str, np.ndarray]
    quality_map: np.ndarray


@dataclasses.dataclass(frozen=True)
class Report:
    """The content of a report.

    facts: command, date, weights and their hash, versions and more, by name. warnings: shown
      prominently at the top.
    """

    title: str
    facts: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
