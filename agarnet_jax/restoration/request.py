"""What is asked of a restoration, checked when made; loads no JAX."""

import dataclasses
import enum
from typing import TypedDict

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, MAX_QUALITY, MIN_QUALITY
from agarnet_jax.restoration.jpeg_header import JpegHeader

MAX_STRENGTH = 1.5
ENSEMBLE_SIZES = (1, 8)


class QualitySource(enum.StrEnum):
    """Where quality comes from.

    IMAGE: estimated from the pixels, once for the image (AGARNet-EST).
    MAP: so, but pixel-wise (-ESP).
    HEADER: from the file's quantization tables, which then stand in for those of a quality; of
      recompressed images they tell the last compression only.
    """

    IMAGE = "auto"
    MAP = "map"
    HEADER = "header"


ESTIMATED = (QualitySource.IMAGE, QualitySource.MAP)


class Orientation(enum.Enum):
    """How an image lies beside the one that was compressed.

    TRANSPOSED: rows and columns are exchanged, and so are they in tables derived from quality.
    Mirroring either way changes only signs of coefficients, hence no table.
    """

    UPRIGHT = "upright"
    TRANSPOSED = "transposed"


class ManyOptions(TypedDict, total=False):
    """Arguments of `Restorer.restore_many` besides the number of bits, for its overloads."""

    quality: float | np.ndarray | QualitySource | str | None
    strength: float
    chroma: bool
    ensemble: int


class Options(ManyOptions, total=False):
    """Arguments of `Restorer.restore`, likewise."""

    header: JpegHeader | None
    table: np.ndarray | None
    orientation: Orientation | str


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Request:
    """How to restore: arguments of `Restorer.restore`, checked.

    Raises:
      ValueError: a quality, table, strength, number of bits or ensemble that does not exist.
    """

    quality: float | np.ndarray | QualitySource = QualitySource.IMAGE
    table: np.ndarray | None = None
    orientation: Orientation = Orientation.UPRIGHT
    strength: float
    chroma: bool
    bits: int | None
    ensemble: int

    @property
    def is_estimated(self) -> bool:
        """Whether quality comes from the pixels."""
        return isinstance(self.quality, QualitySource) and self.quality in ESTIMATED

    def __post_init__(self) -> None:
        check_quality(self.quality)
        check_strength(self.strength)
        check_bits(self.bits)
        check_ensemble(self.ensemble)
        if self.table is None:
            return
        table = np.asarray(self.table)
        if table.shape != (BLOCK, BLOCK) or table.dtype.kind not in "iuf":
            raise ValueError(
                f"A quantization table must be (8, 8) numbers, got {table.dtype} {table.shape}."
            )
        if not (np.isfinite(table) & (table >= 1)).all():
            raise ValueError(
                "Entries of a quantization table must be at least 1, got "
                f"{table.min()} to {table.max()}."
            )


def check_quality(quality: float | np.ndarray | QualitySource) -> None:
    """Checks a number; of pixel-wise ones, that they are numbers."""
    if isinstance(quality, QualitySource):
        return
    values = np.asarray(quality)
    numbers = values.dtype.kind in "iuf"
    if not numbers or not (values.ndim > 0 or MIN_QUALITY <= values <= MAX_QUALITY):
        raise ValueError(
            f"quality is {_shown(quality)}; use a JPEG quality, {MIN_QUALITY}–{MAX_QUALITY}, or "
            "'auto', 'map' or 'header'."
        )


def check_bits(bits: int | None) -> None:
    if bits not in (None, 8, 16):
        raise ValueError(f"bits is {bits!r}; use 8 or 16, or None for those of the image.")


def check_strength(strength: float) -> None:
    values = np.asarray(strength)
    if values.ndim or values.dtype.kind not in "iuf" or not 0 <= values <= MAX_STRENGTH:
        raise ValueError(
            f"strength is {_shown(strength)}; use a number from 0 (nothing changes) to "
            f"{MAX_STRENGTH}, 1 for what the quality asks for."
        )


def check_ensemble(size: int) -> None:
    if size not in ENSEMBLE_SIZES:
        raise ValueError(f"ensemble is {size!r}; use 1 (none) or 8.")


def _shown(value: object) -> str:
    array = np.asarray(value)
    return f"{array.dtype} {array.shape}" if array.ndim else f"{value!r:.50}"
