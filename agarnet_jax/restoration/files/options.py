"""Options for restoring a file, from the command line or a pipeline; checked on construction."""

import dataclasses
import enum

from agarnet_jax.configs import member
from agarnet_jax.jpeg_tables import MAX_QUALITY, MIN_QUALITY
from agarnet_jax.restoration.files.decoding_limits import MAX_PIXELS
from agarnet_jax.restoration.request import (
    QualitySource,
    check_bits,
    check_ensemble,
    check_quality,
    check_strength,
)


def parse_quality(text: str) -> QualitySource | float:
    """Parses the value of a quality flag.

    Raises:
      ValueError: the value is neither a quality nor the name of a source.
    """
    if text in list(QualitySource):
        return QualitySource(text)
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not MIN_QUALITY <= value <= MAX_QUALITY:
        raise ValueError(
            f"quality is {text!r}; use a number from {MIN_QUALITY} to {MAX_QUALITY}, or 'auto', "
            "'map' or 'header'."
        )
    return value


class GridChoice(enum.StrEnum):
    """Where the 8×8 block grid starts.

    AUTO: at the top left corner in JPEG files, detected from the pixels in others. NONE: at the
    corner. FIND: detected from the pixels in JPEG files as well (recompressed crops).
    """

    AUTO = "auto"
    NONE = "none"
    FIND = "find"


@dataclasses.dataclass(frozen=True)
class RestoreOptions:
    """How to restore a file. Enum values may be given as strings, such as "map".

    quality: a source of the quality, or a JPEG quality 1–100.
    strength: 0 (unchanged) to 1.5; 1 is what the network was trained for.
    chroma: whether to restore chroma as well as luma.
    grid: where the block grid starts.
    consistent: whether to project the result onto the file's quantization intervals; applies only
      to JPEG files that were compressed once.
    ensemble: 1, or 8 for the mean over rotations and reflections, at eight times the work.
    bits: per sample of the output, 8 or 16; None: as the input.
    strict: whether to refuse truncated files.
    max_pixels: larger images are refused.
    in_place: whether the input may be replaced; it is then kept as NAME.orig.

    Raises:
      ValueError: a value is invalid.
    """

    quality: QualitySource | float = QualitySource.IMAGE
    strength: float = 1.0
    chroma: bool = True
    grid: GridChoice = GridChoice.AUTO
    consistent: bool = False
    ensemble: int = 1
    bits: int | None = None
    strict: bool = False
    max_pixels: int = MAX_PIXELS
    in_place: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.quality, str):
            object.__setattr__(self, "quality", member(QualitySource, self.quality, "quality"))
        object.__setattr__(self, "grid", member(GridChoice, self.grid, "grid"))
        check_quality(self.quality)
        if self.quality is QualitySource.HEADER and self.grid is GridChoice.FIND:
            raise ValueError(
                "quality is 'header', which is valid only for the grid at the corner; use it with "
                "grid 'auto' or 'none'."
            )
        check_strength(self.strength)
        check_ensemble(self.ensemble)
        check_bits(self.bits)
        if self.max_pixels < 1:
            raise ValueError(f"max_pixels is {self.max_pixels!r}; use at least 1.")

    def as_json(self) -> dict[str, object]:
        """Returns the options that affect the result, as plain values."""
        values = dataclasses.asdict(self)
        del values["max_pixels"]  # decides whether a file is restored, not the result
        return values | {"quality": f"{self.quality}", "grid": self.grid.value}
