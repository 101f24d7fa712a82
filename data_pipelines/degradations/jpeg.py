"""JPEG compression, with the 8×8 grid starting at the image's origin."""

import dataclasses
import enum
import functools
import io

import numpy as np
from PIL import Image

from agarnet_jax.configs import Config, require
from agarnet_jax.jpeg_tables import MAX_QUALITY, MIN_QUALITY, effective_quality
from data_pipelines.degradations.degraded import Degraded, whole_image_label
from data_pipelines.degradations.tables import ANNEX_K, Component, TableFamily, encoder_table
from data_pipelines.draws import Choices, randbelow


class Subsampling(enum.Enum):
    """The chroma subsampling of a colour JPEG."""

    S444 = "4:4:4"
    S422 = "4:2:2"
    S420 = "4:2:0"


@dataclasses.dataclass(frozen=True)
class Jpeg:
    """One JPEG encoding.

    Attributes:
      quality: the encoder's quality setting, 1–100.
      family: the family of its quantization tables.
      component: the table that quantizes a gray image.
      subsampling: ignored for gray images.
    """

    quality: int
    family: TableFamily = TableFamily.IJG
    component: Component = Component.LUMA
    subsampling: Subsampling = Subsampling.S420

    def compress(self, image: np.ndarray) -> np.ndarray:
        """Encodes gray (H, W) or RGB (H, W, 3) uint8 with libjpeg and decodes it again."""
        gray = image.ndim == 2
        components = (self.component,) if gray else (Component.LUMA, Component.CHROMA)
        buffer = io.BytesIO()
        Image.fromarray(image).save(
            buffer,
            "JPEG",
            qtables=[_table_as_list(self.family, self.quality, c) for c in components],
            subsampling="4:4:4" if gray else self.subsampling.value,
        )
        with Image.open(buffer, formats=("JPEG",)) as decoded:
            return np.asarray(decoded)

    @property
    def table(self) -> np.ndarray:
        """The quantization table of `component`, (8, 8) uint8; for RGB images, that of luma."""
        return encoder_table(self.family, self.quality, self.component)

    @property
    def effective_quality(self) -> int:
        """The IJG quality, 1–100, expected to lose as much as this encoding's table."""
        if self.family is TableFamily.IJG:
            return self.quality
        return _table_quality(self.family, self.quality, self.component)

    def input_side(self, side: int) -> int:
        return side

    def apply(self, image: np.ndarray) -> Degraded:
        return Degraded(image=self.compress(image), clean=image, **_label(self))


@functools.cache
def _table_quality(family: TableFamily, quality: int, component: Component) -> int:
    return effective_quality(encoder_table(family, quality, component), base=ANNEX_K[component])


@functools.cache
def _label(jpeg: Jpeg) -> dict[str, np.ndarray]:
    return whole_image_label(jpeg.effective_quality, jpeg.table)


@functools.cache
def _table_as_list(family: TableFamily, quality: int, component: Component) -> list[int]:
    return encoder_table(family, quality, component).ravel().tolist()


@dataclasses.dataclass(frozen=True)
class QualityDensity(Config):
    """The distribution of qualities: integers in [minimum, maximum], or values of a grid. Ours.

    The fraction of qualities up to q is (fraction of the range up to q) ^ (1 / exponent). An
    exponent of 1 is uniform; with 2, half of all qualities are in the lower quarter of the range;
    with 0.5, three quarters are in the upper half.
    """

    minimum: int = 1  # lowest quality of the range
    maximum: int = 100  # highest quality of the range
    exponent: float = 1.0  # above 1, low qualities are more frequent; below 1, high ones
    grid: tuple[int, ...] = ()  # qualities drawn with equal probability
    grid_share: float = 0.0  # fraction of qualities drawn from `grid` instead of the range

    def __post_init__(self):
        super().__post_init__()
        qualities = (self.minimum, self.maximum, *self.grid)
        if min(qualities) < MIN_QUALITY or max(qualities) > MAX_QUALITY:
            raise ValueError(f"The qualities of QualityDensity must be in 1–100, got {self}.")
        if self.minimum > self.maximum:
            raise ValueError(f"QualityDensity.minimum exceeds maximum: {self}.")
        require(self, "above 0", lambda exponent: exponent > 0, "exponent")
        require(self, "in 0–1", lambda fraction: 0 <= fraction <= 1, "grid_share")
        if bool(self.grid_share) != bool(self.grid):
            raise ValueError(
                f"QualityDensity.grid is {self.grid} and grid_share {self.grid_share}; set both or "
                "neither."
            )

    def draw(self, rng: np.random.Generator) -> int:
        if self.grid_share and rng.random() < self.grid_share:
            return self.grid[randbelow(len(self.grid), rng)]
        fraction = rng.random() ** self.exponent  # reaches 1 only by rounding
        return min(self.maximum, self.minimum + int(fraction * (self.maximum - self.minimum + 1)))


@dataclasses.dataclass(frozen=True)
class TableWeights(Choices):
    """Relative frequency of each `TableFamily` of quantization tables (`docs/data.md`)."""

    ijg: float = 1.0  # the tables of the IJG library
    flat: float = 0.0  # one step for all frequencies
    camera: float = 0.0  # smooth in frequency
    editor: float = 0.0  # 13 levels, with low frequencies favoured


@dataclasses.dataclass(frozen=True)
class SubsamplingWeights(Choices):
    """Relative frequency of each chroma `Subsampling` among colour images."""

    s444: float = 0.3  # 4:4:4
    s422: float = 0.1  # 4:2:2
    s420: float = 0.6  # 4:2:0


@dataclasses.dataclass(frozen=True)
class EncoderOptions(Config):
    """The distribution of JPEG encoders, in every degradation."""

    quality: QualityDensity = QualityDensity()
    tables: TableWeights = TableWeights()
    subsampling: SubsamplingWeights = SubsamplingWeights()

    def draw(self, rng: np.random.Generator, component: Component = Component.LUMA) -> Jpeg:
        return Jpeg(
            quality=self.quality.draw(rng),
            family=TableFamily(self.tables.draw(rng)),
            component=component,
            subsampling=Subsampling[self.subsampling.draw(rng).upper()],
        )
