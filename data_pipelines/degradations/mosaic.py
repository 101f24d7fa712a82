"""Spatially varying quality: regions encoded separately, then optionally the whole image again."""

import dataclasses

import numpy as np

from agarnet_jax.configs import Config, require
from agarnet_jax.jpeg_tables import BLOCK
from data_pipelines.degradations.degraded import Degraded
from data_pipelines.degradations.effective import labelled
from data_pipelines.degradations.jpeg import EncoderOptions, Jpeg
from data_pipelines.degradations.tables import Component
from data_pipelines.draws import randbelow


@dataclasses.dataclass(frozen=True)
class Region:
    """A rectangle, as fractions of the image's sides, and its encoding."""

    top: float
    left: float
    bottom: float
    right: float
    jpeg: Jpeg

    def slices(self, height: int, width: int) -> tuple[slice, slice]:
        """Returns rows and columns, rounded to the boundaries of 8×8 blocks."""
        return (
            slice(_block_boundary(self.top, height), _block_boundary(self.bottom, height)),
            slice(_block_boundary(self.left, width), _block_boundary(self.right, width)),
        )

    def split(self, fraction: float, *, across: bool, jpeg: Jpeg) -> tuple["Region", "Region"]:
        """Splits the region at a fraction of its height (`across`) or of its width.

        The lower or right part is encoded by `jpeg`.
        """
        near, far = ("top", "bottom") if across else ("left", "right")
        middle = getattr(self, near) + fraction * (getattr(self, far) - getattr(self, near))
        return (
            dataclasses.replace(self, **{far: middle}),
            dataclasses.replace(self, **{near: middle}, jpeg=jpeg),
        )


@dataclasses.dataclass(frozen=True)
class Mosaic:
    """Regions that tile the image, each encoded separately, then optionally the whole image.

    Labels are pixel-wise: each region has the label of its own encodings.
    """

    regions: tuple[Region, ...]
    whole: Jpeg | None = None

    def input_side(self, side: int) -> int:
        return side

    def apply(self, image: np.ndarray) -> Degraded:
        height, width = image.shape[:2]
        slices = [region.slices(height, width) for region in self.regions]
        degraded = image.copy()
        for region, area in zip(self.regions, slices):
            if degraded[area].size:
                degraded[area] = region.jpeg.compress(image[area])
        if self.whole is not None:
            degraded = self.whole.compress(degraded)
        return self._label(degraded, image, slices)

    def _label(
        self, degraded: np.ndarray, clean: np.ndarray, slices: list[tuple[slice, slice]]
    ) -> Degraded:
        last = () if self.whole is None else (self.whole,)
        height, width = clean.shape[:2]
        quality = np.empty((height, width), np.float32)
        table = np.empty((-(-height // BLOCK), -(-width // BLOCK), BLOCK, BLOCK), np.uint8)
        for region, (rows, cols) in zip(self.regions, slices):
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
    """Returns a mosaic whose left and right halves have the given IJG qualities."""
    return Mosaic((Region(0, 0, 1, 0.5, Jpeg(left)), Region(0, 0.5, 1, 1, Jpeg(right))))


@dataclasses.dataclass(frozen=True)
class MosaicOptions(Config):
    """The distribution of mosaics: regions with an encoding each."""

    regions_max: int = 4  # an image has 2 to this many regions
    recompressed: float = 0.5  # fraction of mosaics encoded once more as a whole
    recompressed_quality_min: int = 75  # lowest quality of that encoding

    def __post_init__(self):
        super().__post_init__()
        require(self, "in 0–1", lambda fraction: 0 <= fraction <= 1, "recompressed")
        require(self, ">= 2", lambda count: count >= 2, "regions_max")
        require(self, "in 1–100", lambda quality: 1 <= quality <= 100, "recompressed_quality_min")

    def draw(
        self, rng: np.random.Generator, *, encoder: EncoderOptions, component: Component
    ) -> Mosaic:
        regions = [Region(0.0, 0.0, 1.0, 1.0, encoder.draw(rng, component))]
        for _ in range(1 + randbelow(self.regions_max - 1, rng)):
            region = regions.pop(randbelow(len(regions), rng))
            fraction = round(float(rng.uniform(0.2, 0.8)), 3)
            jpeg = encoder.draw(rng, component)
            regions.extend(region.split(fraction, across=rng.random() < 0.5, jpeg=jpeg))
        whole = None
        if rng.random() < self.recompressed:
            lowest = self.recompressed_quality_min
            whole = dataclasses.replace(
                encoder.draw(rng, component), quality=lowest + randbelow(101 - lowest, rng)
            )
        return Mosaic(tuple(regions), whole)


def _block_boundary(fraction: float, side: int) -> int:
    """Returns the block boundary closest to a fraction of a side; the far edge counts as one."""
    return side if fraction == 1 else min(side, BLOCK * round(fraction * side / BLOCK))
