"""Quality that varies in space: regions of an image encoded differently, then perhaps together."""

import dataclasses

import numpy as np

from agarnet_jax.configs import Config, require
from agarnet_jax.jpeg_tables import BLOCK
from data_pipelines.degradations.degraded import Degraded
from data_pipelines.degradations.effective import labelled
from data_pipelines.degradations.jpeg import EncoderOptions, Jpeg
from data_pipelines.degradations.tables import Component
from data_pipelines.draws import below


@dataclasses.dataclass(frozen=True)
class Region:
    """A rectangle, as fractions of the image's sides, and how it was encoded."""

    top: float
    left: float
    bottom: float
    right: float
    jpeg: Jpeg

    def slices(self, height: int, width: int) -> tuple[slice, slice]:
        """Returns rows and columns, bounded by whole 8×8 blocks."""
        return (
            slice(_on_grid(self.top, height), _on_grid(self.bottom, height)),
            slice(_on_grid(self.left, width), _on_grid(self.right, width)),
        )

    def cut(self, place: float, *, across: bool, jpeg: Jpeg) -> tuple["Region", "Region"]:
        """Divides the region at a fraction of its height (`across`) or of its width.

        The lower or right one is encoded by `jpeg`.
        """
        near, far = ("top", "bottom") if across else ("left", "right")
        middle = getattr(self, near) + place * (getattr(self, far) - getattr(self, near))
        return (
            dataclasses.replace(self, **{far: middle}),
            dataclasses.replace(self, **{near: middle}, jpeg=jpeg),
        )


@dataclasses.dataclass(frozen=True)
class Mosaic:
    """Regions that share the image, each encoded on its own, and perhaps the whole once more.

    The label is pixel-wise: for each region that of its own history.
    """

    regions: tuple[Region, ...]
    whole: Jpeg | None = None

    def input_side(self, side: int) -> int:
        return side

    def apply(self, image: np.ndarray) -> Degraded:
        height, width = image.shape[:2]
        places = [region.slices(height, width) for region in self.regions]
        degraded = image.copy()
        for region, place in zip(self.regions, places):
            if degraded[place].size:
                degraded[place] = region.jpeg.compress(image[place])
        if self.whole is not None:
            degraded = self.whole.compress(degraded)
        return self._labelled(degraded, image, places)

    def _labelled(self, degraded, clean, places) -> Degraded:
        last = () if self.whole is None else (self.whole,)
        height, width = clean.shape[:2]
        quality = np.empty((height, width), np.float32)
        table = np.empty((-(-height // BLOCK), -(-width // BLOCK), BLOCK, BLOCK), np.uint8)
        for region, (rows, cols) in zip(self.regions, places):
            if not degraded[rows, cols].size:
                continue
            part = labelled(degraded[rows, cols], clean[rows, cols], (region.jpeg, *last))
            quality[rows, cols] = part.quality
            blocks = (
                slice(rows.start // BLOCK, -(-rows.stop // BLOCK)),
                slice(cols.start // BLOCK, -(-cols.stop // BLOCK)),
            )
            table[blocks] = part.table
        return Degraded(image=degraded, clean=clean, quality=quality, table=table)


def halves(left: int, right: int) -> Mosaic:
    """Puts IJG quality `left` beside `right`, half of the image each."""
    return Mosaic((Region(0, 0, 1, 0.5, Jpeg(left)), Region(0, 0.5, 1, 1, Jpeg(right))))


@dataclasses.dataclass(frozen=True)
class MosaicOptions(Config):
    """What random mosaics are like."""

    regions_max: int = 4  # each image has 2 to this many
    recompressed: float = 0.5  # share that is encoded once more as a whole
    recompressed_quality_min: int = 75  # at this quality or better

    def __post_init__(self):
        super().__post_init__()
        require(self, "in 0–1", lambda share: 0 <= share <= 1, "recompressed")
        require(self, ">= 2", lambda count: count >= 2, "regions_max")
        require(self, "in 1–100", lambda quality: 1 <= quality <= 100, "recompressed_quality_min")

    def draw(
        self, rng: np.random.Generator, *, encoder: EncoderOptions, component: Component
    ) -> Mosaic:
        regions = [Region(0.0, 0.0, 1.0, 1.0, encoder.draw(rng, component))]
        for _ in range(1 + below(self.regions_max - 1, rng)):
            region = regions.pop(below(len(regions), rng))
            place = round(float(rng.uniform(0.2, 0.8)), 3)
            jpeg = encoder.draw(rng, component)
            regions.extend(region.cut(place, across=rng.random() < 0.5, jpeg=jpeg))
        whole = None
        if rng.random() < self.recompressed:
            lowest = self.recompressed_quality_min
            whole = dataclasses.replace(
                encoder.draw(rng, component), quality=lowest + below(101 - lowest, rng)
            )
        return Mosaic(tuple(regions), whole)


def _on_grid(fraction: float, side: int) -> int:
    """Returns the block boundary nearest to a fraction of a side; the far edge counts as one."""
    return side if fraction == 1 else min(side, BLOCK * round(fraction * side / BLOCK))
