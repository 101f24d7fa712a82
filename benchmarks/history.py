"""Which JPEG files are taken for compressed once, and what consistency does to those that were not.

    python -m benchmarks.history --images=FOLDER [--weights=tiny] [--count=50] [--restored=8]

Pictures are compressed in colour (4:2:0), once or twice, aligned or after a crop off the grid.
"Taken for single" should be 100 % of the first; here by the pixels of all pictures. The first few
are also restored: estimated quality; whether they are taken for single with the estimate's help;
and what consistency does to the luma, in dB of PSNR, were it applied to all of them, and where it
is applied, to those that are taken for single.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from absl import flags
from PIL import Image

from agarnet_jax import runtime
from agarnet_jax.metrics import as_batch, psnr
from agarnet_jax.restoration import QualitySource, Restorer
from agarnet_jax.restoration.consistency import project
from agarnet_jax.restoration.jpeg_header import JpegHeader
from agarnet_jax.restoration.traces.compression_history import assess
from benchmarks.pictures import first_pictures, saved_jpeg
from benchmarks.timing import print_table
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_COUNT = flags.DEFINE_integer("count", 50, "Images of the folder to use.")
_RESTORED = flags.DEFINE_integer("restored", 8, "Images of these to restore.")

SINGLE = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95)
COARSER_FIRST = ((10, 30), (20, 40), (30, 50), (30, 70), (50, 75), (60, 65), (75, 90), (90, 95))
OTHERS = ((50, 50), (75, 75), (40, 30), (50, 30), (75, 50), (90, 75), (95, 75), (30, 10))


def cropped(image: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
    """Cuts off `shift` rows and columns; the result has one size for all shifts below 8."""
    (row, column), (height, width) = shift, image.shape[:2]
    return np.ascontiguousarray(image[row : height - 8 + row, column : width - 8 + column])


def cases() -> Iterator[tuple[str, int | None, int, bool]]:
    """Yields name, first quality, last quality, and whether shifted."""
    yield from ((f"{quality}", None, quality, False) for quality in SINGLE)
    for first, last in (*COARSER_FIRST, *OTHERS):
        yield f"{first}, {last} aligned", first, last, False
        yield f"{first}, {last} shifted", first, last, True


@dataclasses.dataclass(frozen=True)
class Case:
    """A picture compressed: the file, its luma and header, and the luma it was made of."""

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
        """Estimates as `agarnet inspect` does, with the header's tables."""
        estimates = restorer.estimate(self.file, sources=[QualitySource.IMAGE])
        return estimates[QualitySource.IMAGE].item()

    def single(self, estimate: float | None) -> bool:
        return assess(self.luma, header=self.header, estimated_quality=estimate).single

    def effect(self, restorer: Restorer, quality: float) -> float:
        """Returns what consistency gains, in dB."""
        restored = restorer.restore(self.luma.astype(np.float32) / 255, quality=quality).image
        projected = project(restored, degraded=self.luma, table=self.header.tables[0])
        target = as_batch(self.clean)
        images = (image[None, ..., None] for image in (restored, projected))
        before, after = (psnr(image, target).item() for image in images)
        return after - before


def rows(restorer: Restorer, images: list[np.ndarray]) -> Iterator[tuple[str, ...]]:
    rng = np.random.default_rng(0)
    for name, first, last, shifted in cases():
        places = rng.integers(1, 64, len(images)).tolist()
        shifts = [divmod(place, 8) if shifted else (0, 0) for place in places]
        files = [Case.of(image, first, last, shift) for image, shift in zip(images, shifts)]
        by_pixels = np.mean([file.single(None) for file in files])
        results = []
        for file in files[: _RESTORED.value]:
            quality = file.estimate(restorer)
            results.append((file.single(quality), quality, file.effect(restorer, quality)))
        single, quality, effect = np.array(results, np.float64).T
        yield (
            name,
            f"{100 * by_pixels:.0f}",
            f"{quality.mean():.0f} ± {quality.std():.0f}",
            f"{100 * single.mean():.0f}",
            f"{effect.mean():+.3f}",
            f"{(effect * single).mean():+.3f}",
        )


def main() -> None:
    runtime.prepare()
    with program.one_line_errors():
        restorer = Restorer.from_pretrained(_WEIGHTS.value)
    images = first_pictures(_IMAGES.value, _COUNT.value)
    print_table(
        f"{len(images)} images; the first {_RESTORED.value} restored, weights {_WEIGHTS.value}",
        (
            "qualities",
            "taken for single, %",
            "estimate",
            "with the estimate, %",
            "consistency, dB",
            "where applied, dB",
        ),
        rows(restorer, images),
    )


if __name__ == "__main__":
    program.start(main)
