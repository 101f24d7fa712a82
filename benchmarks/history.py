"""Detection of JPEGs compressed once, and the effect of consistency on single and double JPEGs.

    python -m benchmarks.history --images=FOLDER [--weights=tiny] [--count=50] [--restored=8]

Images are compressed in colour (4:2:0), once or twice, with an aligned or a shifted grid.
"Classified as single" should be 100 % for images compressed once; the first column uses the pixels
of all images alone. The first few images are also restored. For them, the table has the estimated
quality, the classification with that estimate, and the PSNR gain of consistency on luma in dB:
applied to all of them, and applied only to those classified as single.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from absl import flags
from PIL import Image

from agarnet_jax.metrics import as_batch, psnr
from agarnet_jax.restoration import QualitySource, Restorer
from agarnet_jax.restoration.consistency import project
from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.traces.compression_history import assess
from benchmarks.images import load_images, saved_jpeg
from benchmarks.restorers import load_restorer
from benchmarks.timing import print_table
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_COUNT = flags.DEFINE_integer("count", 50, "Number of images to use.")
_RESTORED = flags.DEFINE_integer("restored", 8, "Number of these images to restore.")

SINGLE = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95)
COARSER_FIRST = ((10, 30), (20, 40), (30, 50), (30, 70), (50, 75), (60, 65), (75, 90), (90, 95))
OTHERS = ((50, 50), (75, 75), (40, 30), (50, 30), (75, 50), (90, 75), (95, 75), (30, 10))


def cropped(image: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
    """Crops `shift` rows and columns off; all shifts below 8 give the same size."""
    (row, column), (height, width) = shift, image.shape[:2]
    return np.ascontiguousarray(image[row : height - 8 + row, column : width - 8 + column])


def cases() -> Iterator[tuple[str, int | None, int, bool]]:
    """Yields name, first quality, last quality, and whether the grid is shifted."""
    yield from ((f"{quality}", None, quality, False) for quality in SINGLE)
    for first, last in (*COARSER_FIRST, *OTHERS):
        yield f"{first}, {last} aligned", first, last, False
        yield f"{first}, {last} shifted", first, last, True


@dataclasses.dataclass(frozen=True)
class Case:
    """A compressed image: the file, its luma and header, and its clean luma."""

    file: Image.Image
    luma: np.ndarray
    clean: np.ndarray
    header: JpegHeader

    @classmethod
    def of(cls, clean: np.ndarray, first: int | None, last: int, shift: tuple[int, int]) -> "Case":
        image = clean if first is None else np.asarray(saved_jpeg(clean, first))
        image = cropped(image, shift)
        in_ycbcr = saved_jpeg(image, last, ycbcr=True)
        pixels = np.asarray(in_ycbcr)
        luma = pixels if pixels.ndim == 2 else pixels[..., 0]
        target = np.asarray(Image.fromarray(cropped(clean, shift)).convert("L"))
        header = JpegHeader.of(in_ycbcr)  # type: ignore[arg-type]
        return cls(saved_jpeg(image, last), luma, target, header)

    def estimate(self, restorer: Restorer) -> float:
        """Estimates the quality as `agarnet inspect` does, with the header's tables."""
        estimates = restorer.estimate(self.file, sources=[QualitySource.IMAGE])
        return estimates[QualitySource.IMAGE].item()

    def is_single(self, estimate: float | None) -> bool:
        return assess(self.luma, header=self.header, estimated_quality=estimate).single

    def consistency_gain(self, restorer: Restorer, quality: float) -> float:
        """Returns the PSNR gain of consistency in dB."""
        restored = restorer.restore(self.luma.astype(np.float32) / 255, quality=quality).image
        projected = project(restored, degraded=self.luma, table=self.header.tables[0])
        target = as_batch(self.clean)
        images = (image[None, ..., None] for image in (restored, projected))
        before, after = (psnr(image, target).item() for image in images)
        return after - before


def rows(restorer: Restorer, images: list[np.ndarray]) -> Iterator[tuple[str, ...]]:
    rng = np.random.default_rng(0)
    for name, first, last, shifted in cases():
        offsets = rng.integers(1, 64, len(images)).tolist()
        shifts = [divmod(offset, 8) if shifted else (0, 0) for offset in offsets]
        files = [Case.of(image, first, last, shift) for image, shift in zip(images, shifts)]
        by_pixels = np.mean([file.is_single(None) for file in files])
        results = []
        for file in files[: _RESTORED.value]:
            quality = file.estimate(restorer)
            gain = file.consistency_gain(restorer, quality)
            results.append((file.is_single(quality), quality, gain))
        single, quality, gain = np.array(results, np.float64).T
        yield (
            name,
            f"{100 * by_pixels:.0f}",
            f"{quality.mean():.0f} ± {quality.std():.0f}",
            f"{100 * single.mean():.0f}",
            f"{gain.mean():+.3f}",
            f"{(gain * single).mean():+.3f}",
        )


def main() -> None:
    restorer = load_restorer(_WEIGHTS.value)
    images = load_images(_IMAGES.value, _COUNT.value)
    print_table(
        f"{len(images)} images; the first {_RESTORED.value} restored, weights {_WEIGHTS.value}",
        (
            "qualities",
            "classified as single, %",
            "estimate",
            "with the estimate, %",
            "consistency, dB",
            "where applied, dB",
        ),
        rows(restorer, images),
    )


if __name__ == "__main__":
    program.start(main)
