"""How often quantization steps show an image's quality, how exactly, and what looking costs.

    python -m benchmarks.quantization_steps --images=FOLDER [--count=100]

Studio-range luma compressed as gray JPEG, and pictures compressed in colour (4:2:0), by Pillow.
"""

import time

import numpy as np
from absl import flags

from agarnet_jax.color import LumaRange
from agarnet_jax.restoration import quantization_steps
from agarnet_jax.restoration.components import split
from benchmarks.pictures import first_pictures
from benchmarks.timing import print_table
from data_pipelines.degradations.jpeg import Jpeg
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_COUNT = flags.DEFINE_integer("count", 100, "Images of the folder to use.")

QUALITIES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 97, 100)


def shown(images: list[np.ndarray], quality: int) -> tuple[str, str, float]:
    """How many show a quality in %, its largest error, and milliseconds of CPU time an image."""
    planes = [split(Jpeg(quality).compress(image)).lead[:, :] for image in images]
    since = time.process_time()
    found = [quantization_steps.quality(plane) for plane in planes]
    spent = time.process_time() - since
    errors = [abs(value - quality) for value in found if value is not None]
    largest = f"{max(errors):.1f}" if errors else "–"
    return f"{100 * len(errors) / len(images):.0f}", largest, 1000 * spent / len(images)


def main() -> None:
    gray = first_pictures(_IMAGES.value, _COUNT.value, luma_range=LumaRange.STUDIO)
    color = first_pictures(_IMAGES.value, _COUNT.value)
    rows = []
    for quality in QUALITIES:
        (in_gray, gray_error, spent), (in_color, color_error, _) = (
            shown(images, quality) for images in (gray, color)
        )
        rows.append((f"{quality}", in_gray, gray_error, in_color, color_error, f"{spent:.1f}"))
    print_table(
        f"{len(gray)} images of {_IMAGES.value}",
        ("Q", "gray: shown, %", "error at most", "colour: shown, %", "error at most", "CPU, ms"),
        rows,
    )


if __name__ == "__main__":
    program.start(main)
