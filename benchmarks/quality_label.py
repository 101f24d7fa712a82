"""Compares quality labels for images that were compressed more than once.

    python -m benchmarks.quality_label --images=FOLDER [--weights=tiny] [--count=6]

A restorer trained on single JPEGs restores recompressed images at the quality given by each of
three rules: that of the last encoding; the lowest; the effective quality, at which a single JPEG
has the same squared error. "best" is the best of all candidate qualities for each image. Entries
are PSNR gains over the degraded image in dB (studio-range luma, rounded) and mean labels.
"""

from collections.abc import Iterable

import numpy as np
from absl import flags

from agarnet_jax.color import LumaRange
from agarnet_jax.restoration import Restorer
from benchmarks.images import load_images, psnr
from benchmarks.restorers import load_restorer
from benchmarks.timing import print_table
from data_pipelines.degradations.degraded import Degraded
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.recompression import Recompression, Reencoding, double
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Weights of a restorer trained on single JPEGs.")
_COUNT = flags.DEFINE_integer("count", 6, "Number of images to use.")

PAIRS = ((30, 10), (10, 30), (10, 50), (10, 90), (30, 50), (50, 30), (30, 30), (50, 50), (70, 80))
SCALES = ((30, 70, 0.5), (10, 90, 0.5), (30, 90, 0.7), (30, 90, 1.4))
CANDIDATES = (5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90)


def cases() -> dict[str, Recompression]:
    by_name = {}
    for first, second in PAIRS:
        by_name[f"{first}, {second} aligned"] = double(first, second)
        by_name[f"{first}, {second} shifted (4, 4)"] = double(first, second, shift=(4, 4))
    for first, second, scale in SCALES:
        step = Reencoding(Jpeg(second), scale=scale)
        by_name[f"{first}, {second} rescaled × {scale}"] = Recompression(Jpeg(first), (step,))
    return by_name


def gains(restorer: Restorer, degraded: Degraded, qualities: Iterable[float]) -> list[float]:
    """Returns the PSNR gain in dB of restoring an image at each of the qualities."""
    before = psnr(degraded.image, degraded.clean)
    restored = (restorer.restore(degraded.image, quality=float(q)).image for q in qualities)
    return [psnr(image, degraded.clean) - before for image in restored]


def labels(recompression: Recompression, degraded: Degraded) -> list[float]:
    """Returns an image's labels by the rules "last", "lowest" and "effective"."""
    qualities = [recompression.first.quality, *(s.jpeg.quality for s in recompression.then)]
    return [qualities[-1], min(qualities), degraded.quality.item()]


def main() -> None:
    restorer = load_restorer(_WEIGHTS.value)
    images = load_images(_IMAGES.value, _COUNT.value, luma_range=LumaRange.STUDIO)
    table, all_gains = [], []
    for name, recompression in cases().items():
        degraded = [recompression.apply(image) for image in images]
        by_rule = np.mean(
            [gains(restorer, image, labels(recompression, image)) for image in degraded], axis=0
        )
        tried = [gains(restorer, image, CANDIDATES) for image in degraded]
        best = np.mean(np.max(tried, axis=1))
        label = np.mean([image.quality.item() for image in degraded])
        best_label = np.mean([CANDIDATES[i] for i in np.argmax(tried, axis=1)])
        all_gains.append([*by_rule, best])
        cells = [f"{value:+.2f}" for value in all_gains[-1]]
        table.append((name, *cells, f"{label:.0f}", f"{best_label:.0f}"))
    table.append(("mean", *(f"{value:+.3f}" for value in np.mean(all_gains, axis=0)), "", ""))
    print_table(
        f"{len(images)} images, weights {_WEIGHTS.value}: gain in dB by labelling rule",
        ("", "last", "lowest", "effective", "best", "effective label", "best label"),
        table,
    )


if __name__ == "__main__":
    program.start(main)
