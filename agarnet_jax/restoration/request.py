"""The validated arguments of a restoration; loads no JAX."""

import dataclasses
import enum
from typing import TypedDict

import numpy as np

from agarnet_jax.jpeg_tables import BLOCK, MAX_QUALITY, MIN_QUALITY
from agarnet_jax.restoration.jpeg_header import JpegHeader

_MAX_STRENGTH = 1.5
_ENSEMBLE_SIZES = (1, 8)


class QualitySource(enum.StrEnum):
    """Where the quality comes from.

    IMAGE: one value for the image, estimated from its pixels (AGARNet-EST).
    MAP: a value for each pixel, estimated likewise (AGARNet-ESP).
    HEADER: the quantization tables of the file, which the network then gets instead of tables
      derived from a quality. For a recompressed image they describe the last compression only.
    """

    IMAGE = "auto"
    MAP = "map"
    HEADER = "header"


ESTIMATED_SOURCES = (QualitySource.IMAGE, QualitySource.MAP)


class RestoreManyArguments(TypedDict, total=False):
    """Arguments of `Restorer.restore_many` other than `bits`, for its overloads."""

    quality: float | np.ndarray | QualitySource | str | None
    strength: float
    chroma: bool
    ensemble: int


class RestoreArguments(RestoreManyArguments, total=False):
    """Arguments of `Restorer.restore` other than `bits`, for its overloads."""

    header: JpegHeader | None
    table: np.ndarray | None


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Request:
    """How to restore an image: the validated arguments of `Restorer.restore`.

    Raises:
      ValueError: an invalid quality, table, strength, number of bits or ensemble size, or a table
        together with that of the header.
    """

    quality: float | np.ndarray | QualitySource = QualitySource.IMAGE
    table: np.ndarray | None = None
    strength: float
    chroma: bool
    bits: int | None
    ensemble: int

    @property
    def is_estimated(self) -> bool:
        """Whether the quality is estimated from the pixels."""
        return isinstance(self.quality, QualitySource) and self.quality in ESTIMATED_SOURCES

    def __post_init__(self) -> None:
        check_quality(self.quality)
        check_strength(self.strength)
        check_bits(self.bits)
        check_ensemble(self.ensemble)
        if self.table is not None:
            _check_table(np.asarray(self.table))
            if self.quality is QualitySource.HEADER:
                raise ValueError(
                    "table is given, but quality is 'header', which uses the header's tables; omit "
                    "one of them."
                )


def check_quality(quality: float | np.ndarray | QualitySource) -> None:
    """Checks the range of a single quality, and only the dtype of a pixel-wise one."""
    if isinstance(quality, QualitySource):
        return
    values = np.asarray(quality)
    is_numeric = values.dtype.kind in "iuf"
    if not is_numeric or not (values.ndim > 0 or MIN_QUALITY <= values <= MAX_QUALITY):
        raise ValueError(
            f"quality is {_describe(quality)}; use a JPEG quality, {MIN_QUALITY}–{MAX_QUALITY}, "
            "or 'auto', 'map' or 'header'."
        )


def check_bits(bits: int | None) -> None:
    if bits not in (None, 8, 16):
        raise ValueError(f"bits is {bits!r}; use 8 or 16 (default: as the input).")


def check_strength(strength: float) -> None:
    values = np.asarray(strength)
    if values.ndim or values.dtype.kind not in "iuf" or not 0 <= values <= _MAX_STRENGTH:
        raise ValueError(
            f"strength is {_describe(strength)}; use a number from 0 (no change) to "
            f"{_MAX_STRENGTH} (default: 1)."
        )


def check_ensemble(size: int) -> None:
    if size not in _ENSEMBLE_SIZES:
        raise ValueError(f"ensemble is {size!r}; use 1 (none) or 8.")


def _check_table(table: np.ndarray) -> None:
    if table.shape != (BLOCK, BLOCK) or table.dtype.kind not in "iuf":
        raise ValueError(
            f"A quantization table must be (8, 8) numbers, got {table.dtype} {table.shape}."
        )
    if not (np.isfinite(table) & (table >= 1)).all():
        raise ValueError(
            "Entries of a quantization table must be at least 1, got "
            f"{table.min()} to {table.max()}."
        )


def _describe(value: object) -> str:
    array = np.asarray(value)
    return f"{array.dtype} {array.shape}" if array.ndim else f"{value!r:.50}"
