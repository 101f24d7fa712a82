"""How often an earlier JPEG on the same grid is recovered, and what that brings.

    python -m benchmarks.recompression --images=FOLDER [--weights=tiny] [--count=50] [--restored=8]

Studio-range luma and pictures in colour (4:2:0), compressed once or several times by Pillow; gray
ones are given as arrays, without a header, colour ones as files. "Found" is a quality of the
compression before the last, "wrong" one that is off by more than 1, or of an image that was never
compressed more coarsely. The first few gray images are restored: with steps read, without, and the
first JPEG itself, told its quality; PSNR in dB.
"""

import time
from collections.abc import Sequence

import numpy as np
from absl import flags
from PIL import Image

from agarnet_jax import runtime
from agarnet_jax.color import LumaRange
from agarnet_jax.metrics import as_batch, psnr
from agarnet_jax.restoration import Restorer
from agarnet_jax.restoration.splitting import split
from agarnet_jax.restoration.traces.earlier_jpeg import RecoveredPlane, recovered
from benchmarks.pictures import first_pictures, saved_jpeg
from benchmarks.timing import print_table
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_COUNT = flags.DEFINE_integer("count", 50, "Images of the folder to use.")
_RESTORED = flags.DEFINE_integer("restored", 8, "Images of these to restore.")

COARSER_FIRST = (
    *((20, 60), (20, 80), (40, 60), (40, 80), (45, 50), (55, 65), (60, 80), (75, 85), (75, 95)),
    (40, 60, 80),
)
OTHERS = ((10,), (30,), (60,), (80,), (90,), (95,), (60, 60), (60, 40), (80, 60), (95, 75))


def saved(image: np.ndarray, qualities: Sequence[int]) -> Image.Image:
    """Saves an image as JPEGs, each made of the one before; returns the last one, opened."""
    *earlier, last = qualities
    for quality in earlier:
        image = np.asarray(saved_jpeg(image, quality))
    return saved_jpeg(image, last, ycbcr=True)


def found(image: np.ndarray | Image.Image) -> int | None:
    """Returns the quality of the compression before the last; None if none is found."""
    plane = recovered(split(image).lead)
    return plane.undone[0].quality if isinstance(plane, RecoveredPlane) else None


def shares(qualities: Sequence[int | None], true: int | None) -> tuple[str, str]:
    """Returns how many are right, and how many are wrong, in %."""
    right = [q is not None and true is not None and abs(q - true) <= 1 for q in qualities]
    wrong = [q is not None and not fits for q, fits in zip(qualities, right)]
    return f"{100 * np.mean(right):.0f}", f"{100 * np.mean(wrong):.0f}"


def score(image: np.ndarray, clean: np.ndarray) -> float:
    return psnr(as_batch(image), as_batch(clean)).item()


def main() -> None:
    runtime.prepare()
    with program.one_line_errors():
        restorer = Restorer.from_pretrained(_WEIGHTS.value)
    network = Restorer(restorer.weights, read_steps=False)
    gray = first_pictures(_IMAGES.value, _COUNT.value, luma_range=LumaRange.STUDIO)
    color = first_pictures(_IMAGES.value, _COUNT.value)

    def row(qualities: tuple[int, ...]) -> tuple[str, ...]:
        true = qualities[-2] if qualities in COARSER_FIRST else None
        arrays = [np.asarray(saved(image, qualities)) for image in gray]
        since = time.process_time()
        in_gray = [found(array) for array in arrays]
        spent = 1000 * (time.process_time() - since) / len(arrays)
        in_color = [found(saved(image, qualities)) for image in color]
        scores = []
        for clean, array in zip(gray[: _RESTORED.value], arrays):
            first = np.asarray(saved(clean, qualities[:1]))
            results = (
                array,
                restorer.restore(array).image,
                network.restore(array).image,
                restorer.restore(first, quality=qualities[0]).image,
            )
            scores.append([score(image, clean) for image in results])
        return (
            ", ".join(map(str, qualities)),
            *shares(in_gray, true),
            *shares(in_color, true),
            *(f"{mean:.2f}" for mean in np.mean(scores, axis=0)),
            f"{spent:.0f}",
        )

    print_table(
        f"{len(gray)} images of {_IMAGES.value}; the first {_RESTORED.value} restored, weights "
        f"{_WEIGHTS.value}",
        (
            "qualities",
            "gray: found, %",
            "wrong, %",
            "colour: found, %",
            "wrong, %",
            "JPEG",
            "restored",
            "steps not read",
            "the first JPEG restored",
            "CPU, ms",
        ),
        [row(qualities) for qualities in (*COARSER_FIRST, *OTHERS)],
    )


if __name__ == "__main__":
    program.start(main)
