"""JPEG compression on the 8×8 grid at the image's origin."""

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
from data_pipelines.draws import Choices, below


class Subsampling(enum.Enum):
    """The resolution of chroma against luma in a colour JPEG."""

    S444 = "4:4:4"
    S422 = "4:2:2"
    S420 = "4:2:0"


@dataclasses.dataclass(frozen=True)
class Jpeg:
    """One encoding. `quality` 1–100 is the encoder's setting; other fields choose its tables.

    `component` says which table quantizes a gray image; `subsampling` counts for RGB only.
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
        """(8, 8) uint8: the table of `component`, for RGB images that of luma."""
        return encoder_table(self.family, self.quality, self.component)

    @property
    def effective_quality(self) -> int:
        """The IJG quality 1–100 that loses as much as this encoding's table does."""
        if self.family is TableFamily.IJG:
            return self.quality
        return _table_quality(self.family, self.quality, self.component)

    def input_side(self, side: int) -> int:
        return side

    def apply(self, image: np.ndarray) -> Degraded:
        return Degraded(image=self.compress(image), clean=image, **_label(self))


@functools.cache
def _table_quality(family: TableFamily, quality: int, component: Component) -> int:
    return effective_quality(
        encoder_table(family, quality, component),
        base=ANNEX_K[component],
    )


@functools.cache
def _label(jpeg: Jpeg) -> dict[str, np.ndarray]:
    return whole_image_label(jpeg.effective_quality, jpeg.table)


@functools.cache
def _table_as_list(family: TableFamily, quality: int, component: Component) -> list[int]:
    return encoder_table(family, quality, component).ravel().tolist()


@dataclasses.dataclass(frozen=True)
class QualityDensity(Config):
    """How qualities are drawn: integers in [minimum, maximum], or from a grid. Ours.

    The share of qualities up to q is (share of the range up to q) ^ (1 / exponent): 1 is uniform;
    at 2, half of all qualities are in the lower quarter; at 0.5, three quarters in the upper half.
    """

    minimum: int = 1
    maximum: int = 100
    exponent: float = 1.0  # above 1, low qualities are more frequent; below 1, high ones
    grid: tuple[int, ...] = ()
    grid_share: float = 0.0  # how often the quality is one of `grid` instead

    def __post_init__(self):
        super().__post_init__()
        qualities = (self.minimum, self.maximum, *self.grid)
        if min(qualities) < MIN_QUALITY or max(qualities) > MAX_QUALITY:
            raise ValueError(f"QualityDensity must lie in 1–100, got {self}.")
        if self.minimum > self.maximum:
            raise ValueError(f"QualityDensity.minimum exceeds maximum: {self}.")
        require(self, "above 0", lambda exponent: exponent > 0, "exponent")
        require(self, "in 0–1", lambda share: 0 <= share <= 1, "grid_share")
        if bool(self.grid_share) != bool(self.grid):
            raise ValueError(
                f"QualityDensity.grid is {self.grid} and grid_share {self.grid_share}; set both or "
                "neither."
            )

    def draw(self, rng: np.random.Generator) -> int:
        if self.grid_share and rng.random() < self.grid_share:
            return self.grid[below(len(self.grid), rng)]
        share = rng.random() ** self.exponent  # 1 only by rounding
        return min(self.maximum, self.minimum + int(share * (self.maximum - self.minimum + 1)))


@dataclasses.dataclass(frozen=True)
class TableWeights(Choices):
    """How often an encoder is of each `TableFamily`."""

    ijg: float = 1.0
    flat: float = 0.0
    camera: float = 0.0
    editor: float = 0.0


@dataclasses.dataclass(frozen=True)
class SubsamplingWeights(Choices):
    """How often colour images are encoded with each `Subsampling`."""

    s444: float = 0.3
    s422: float = 0.1
    s420: float = 0.6


@dataclasses.dataclass(frozen=True)
class EncoderOptions(Config):
    """What random encoders are like, in every degradation."""

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
