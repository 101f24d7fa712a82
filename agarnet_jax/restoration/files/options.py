"""How to restore a file: the choices of the command line and of pipelines, checked when made."""

import dataclasses
import enum

from agarnet_jax.configs import member
from agarnet_jax.jpeg_tables import MAX_QUALITY, MIN_QUALITY
from agarnet_jax.restoration.files.reading import MAX_PIXELS
from agarnet_jax.restoration.request import (
    QualitySource,
    check_bits,
    check_ensemble,
    check_quality,
    check_strength,
)


def parse_quality(text: str) -> QualitySource | float:
    """What a flag says of the quality.

    Raises:
      ValueError: neither a choice nor a quality.
    """
    if text in list(QualitySource):
        return QualitySource(text)
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not MIN_QUALITY <= value <= MAX_QUALITY:
        raise ValueError(
            f"quality {text!r} is neither a number from {MIN_QUALITY} to {MAX_QUALITY} nor 'auto', "
            "'map' or 'header'."
        )
    return value


class GridChoice(enum.StrEnum):
    """Where the 8×8 grid lies.

    AUTO: at the top left corner in JPEG files, found from the pixels in others. NONE: at the
    corner. FIND: found from the pixels in JPEG files as well (crops that were compressed again).
    """

    AUTO = "auto"
    NONE = "none"
    FIND = "find"


@dataclasses.dataclass(frozen=True)
class RestoreOptions:
    """How to restore a file. Choices may be given as strings, such as "map".

    quality: a choice, or a JPEG quality 1–100.
    strength: 0 (unchanged) to 1.5; 1 is what the network was trained for.
    chroma: whether chroma is restored as well as luma.
    grid: where the grid lies.
    consistent: whether a single-compressed JPEG's restoration is moved into its quantization
      intervals; nothing happens to other files.
    ensemble: 1, or 8 for the mean over rotations and mirrorings, at eight times the work.
    bits: a sample of the output, 8 or 16; None: as the input.
    strict: whether truncated files are refused.
    max_pixels: larger images are refused.
    in_place: whether the input may be replaced; it is then kept as NAME.orig.

    Raises:
      ValueError: one of them is impossible.
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
                "quality is 'header', which tells of the grid at the corner; use it with grid "
                "'auto' or 'none'."
            )
        check_strength(self.strength)
        check_ensemble(self.ensemble)
        check_bits(self.bits)
        if self.max_pixels < 1:
            raise ValueError(f"max_pixels is {self.max_pixels!r}; use at least 1.")

    def as_json(self) -> dict[str, object]:
        """Plain values that decide what comes of a file."""
        values = dataclasses.asdict(self)
        del values["max_pixels"]  # whether, not what
        return values | {"quality": f"{self.quality}", "grid": self.grid.value}
