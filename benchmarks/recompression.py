"""Detection rate of an earlier, aligned JPEG compression, and the PSNR of undoing the last one.

    python -m benchmarks.recompression --images=FOLDER [--weights=tiny] [--count=50] [--restored=8]

Studio-range luma and colour images (4:2:0), compressed once or several times by Pillow; gray images
are passed as arrays, without a header, colour images as files. "Found": the quality of the
compression before the last, within 1. "Wrong": a quality further off, or one found in an image that
was never compressed more coarsely before. The first few gray images are restored with and without
compression traces, and the first JPEG itself with its true quality; PSNR in dB.
"""

import time
from collections.abc import Sequence

import numpy as np
from absl import flags
from PIL import Image

from agarnet_jax.color import LumaRange
from agarnet_jax.restoration import Restorer
from agarnet_jax.restoration.earlier_jpeg import RecoveredPlane, recover_earlier_jpeg
from agarnet_jax.restoration.splitting import split
from benchmarks.images import load_images, psnr, saved_jpeg
from benchmarks.restorers import load_restorer
from benchmarks.timing import print_table
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_COUNT = flags.DEFINE_integer("count", 50, "Number of images to use.")
_RESTORED = flags.DEFINE_integer("restored", 8, "Number of these images to restore.")

COARSER_FIRST = (
    *((20, 60), (20, 80), (40, 60), (40, 80), (45, 50), (55, 65), (60, 80), (75, 85), (75, 95)),
    (40, 60, 80),
)
OTHERS = ((10,), (30,), (60,), (80,), (90,), (95,), (60, 60), (60, 40), (80, 60), (95, 75))


def compress(image: np.ndarray, qualities: Sequence[int]) -> Image.Image:
    """Compresses an image repeatedly and returns the last JPEG, opened."""
    *earlier, last = qualities
    for quality in earlier:
        image = np.asarray(saved_jpeg(image, quality))
    return saved_jpeg(image, last, ycbcr=True)


def earlier_quality(image: np.ndarray | Image.Image) -> int | None:
    """Returns the detected quality of the compression before the last, or None."""
    plane = recover_earlier_jpeg(split(image).primary)
    return plane.recompressions[0].quality if isinstance(plane, RecoveredPlane) else None


def rates(qualities: Sequence[int | None], true: int | None) -> tuple[str, str]:
    """Returns the percentages of correct and of wrong qualities."""
    correct = [q is not None and true is not None and abs(q - true) <= 1 for q in qualities]
    wrong = [q is not None and not close for q, close in zip(qualities, correct)]
    return f"{100 * np.mean(correct):.0f}", f"{100 * np.mean(wrong):.0f}"


def main() -> None:
    restorer = load_restorer(_WEIGHTS.value)
    network = Restorer(restorer.weights, use_traces=False)
    gray = load_images(_IMAGES.value, _COUNT.value, luma_range=LumaRange.STUDIO)
    color = load_images(_IMAGES.value, _COUNT.value)

    def row(qualities: tuple[int, ...]) -> tuple[str, ...]:
        true = qualities[-2] if qualities in COARSER_FIRST else None
        arrays = [np.asarray(compress(image, qualities)) for image in gray]
        start = time.process_time()
        in_gray = [earlier_quality(array) for array in arrays]
        milliseconds = 1000 * (time.process_time() - start) / len(arrays)
        in_color = [earlier_quality(compress(image, qualities)) for image in color]
        scores = []
        for clean, array in zip(gray[: _RESTORED.value], arrays):
            first = np.asarray(compress(clean, qualities[:1]))
            results = (
                array,
                restorer.restore(array).image,
                network.restore(array).image,
                restorer.restore(first, quality=qualities[0]).image,
            )
            scores.append([psnr(image, clean) for image in results])
        return (
            ", ".join(map(str, qualities)),
            *rates(in_gray, true),
            *rates(in_color, true),
            *(f"{mean:.2f}" for mean in np.mean(scores, axis=0)),
            f"{milliseconds:.0f}",
        )

    print_table(
        f"{len(gray)} images of {_IMAGES.value}; the first {_RESTORED.value} restored, weights "
        f"{_WEIGHTS.value}",
        (
            "qualities",
            "gray: found, %",
            "gray: wrong, %",
            "colour: found, %",
            "colour: wrong, %",
            "JPEG",
            "restored",
            "restored without steps",
            "first JPEG restored",
            "CPU, ms",
        ),
        [row(qualities) for qualities in (*COARSER_FIRST, *OTHERS)],
    )


if __name__ == "__main__":
    program.start(main)
