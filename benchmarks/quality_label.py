"""Which one quality should an image have that was compressed more than once?

    python -m benchmarks.quality_label --images=FOLDER [--weights=tiny] [--count=6]

A restorer trained on single JPEGs restores recompressed images, told a quality by each of three
rules: that of the last encoding; the lowest; the effective quality, of which a single JPEG has the
same squared error. Beside them, the best of all qualities for each image ("best"). Entries are
gains over the degraded image in dB (PSNR, studio-range luma, rounded), and mean labels.
"""

from collections.abc import Iterable

import numpy as np
from absl import flags

from agarnet_jax import runtime
from agarnet_jax.color import LumaRange
from agarnet_jax.metrics import as_batch, psnr
from agarnet_jax.restoration import Restorer
from benchmarks.pictures import first_pictures
from benchmarks.timing import print_table
from data_pipelines.degradations.degraded import Degraded
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.recompression import Recompression, Reencoding, double
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Restorer trained on single JPEGs.")
_COUNT = flags.DEFINE_integer("count", 6, "Images of the folder to use.")

PAIRS = ((30, 10), (10, 30), (10, 50), (10, 90), (30, 50), (50, 30), (30, 30), (50, 50), (70, 80))
SCALES = ((30, 70, 0.5), (10, 90, 0.5), (30, 90, 0.7), (30, 90, 1.4))
CANDIDATES = (5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90)


def cases() -> dict[str, Recompression]:
    named = {}
    for first, second in PAIRS:
        named[f"{first}, {second} aligned"] = double(first, second)
        named[f"{first}, {second} shifted (4, 4)"] = double(first, second, shift=(4, 4))
    for first, second, scale in SCALES:
        step = Reencoding(Jpeg(second), scale=scale)
        named[f"{first}, {second} rescaled × {scale}"] = Recompression(Jpeg(first), (step,))
    return named


def gains(restorer: Restorer, degraded: Degraded, qualities: Iterable[float]) -> list[float]:
    """Returns the gains in dB of restoring an image when told each of the qualities."""
    clean = as_batch(degraded.clean)
    before = psnr(as_batch(degraded.image), clean).item()
    restored = (restorer.restore(degraded.image, quality=float(q)).image for q in qualities)
    return [psnr(as_batch(image), clean).item() - before for image in restored]


def labels(recompression: Recompression, degraded: Degraded) -> list[float]:
    """Labels an image by the rules "last", "lowest" and "effective"."""
    qualities = [recompression.first.quality, *(s.jpeg.quality for s in recompression.then)]
    return [qualities[-1], min(qualities), degraded.quality.item()]


def main() -> None:
    runtime.prepare()
    restorer = Restorer.from_pretrained(_WEIGHTS.value)
    chosen = first_pictures(_IMAGES.value, _COUNT.value, luma_range=LumaRange.STUDIO)
    table, totals = [], []
    for name, recompression in cases().items():
        degraded = [recompression.apply(image) for image in chosen]
        by_rule = np.mean(
            [gains(restorer, image, labels(recompression, image)) for image in degraded], axis=0
        )
        tried = [gains(restorer, image, CANDIDATES) for image in degraded]
        best = np.mean(np.max(tried, axis=1))
        label = np.mean([image.quality.item() for image in degraded])
        best_label = np.mean([CANDIDATES[i] for i in np.argmax(tried, axis=1)])
        totals.append([*by_rule, best])
        cells = [f"{value:+.2f}" for value in totals[-1]]
        table.append((name, *cells, f"{label:.0f}", f"{best_label:.0f}"))
    table.append(("mean", *(f"{value:+.3f}" for value in np.mean(totals, axis=0)), "", ""))
    print_table(
        f"{len(chosen)} images, weights {_WEIGHTS.value}: gain in dB by the rule that labels",
        ("", "last", "lowest", "effective", "best", "effective label", "best label"),
        table,
    )


if __name__ == "__main__":
    program.start(main)
