"""Detection rate of the 8×8 grid in crops of decoded JPEGs, and false alarms on clean images.

    python -m benchmarks.grid --images=FOLDER [--count=100]

Every image is compressed in colour (4:2:0), and a square is cropped at a random position. Cells are
percentages: grid found at the correct offset / at a wrong offset.
"""

import time

import numpy as np
from absl import flags

from agarnet_jax.color import luma
from agarnet_jax.restoration.traces.grid import find_grid
from benchmarks.images import load_images
from benchmarks.timing import print_table
from data_pipelines.degradations.jpeg import Jpeg
from experiments import program

_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_COUNT = flags.DEFINE_integer("count", 100, "Number of images to use.")

QUALITIES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95)
SIDES = (64, 96, 128, 192, 248)
CLEAN_CROPS = 5  # per image; false alarms are rare


def detect(image: np.ndarray, side: int, rng: np.random.Generator) -> tuple[bool, bool]:
    """Crops at random; returns whether a grid is found, and whether its offset is correct."""
    top, left = (int(rng.integers(length - side + 1)) for length in image.shape[:2])
    crop = image[top : top + side, left : left + side]
    plane = luma(crop.astype(np.float32)) if crop.ndim == 3 else crop.astype(np.float32)
    found = find_grid(plane / 255)
    correct = found is not None and (found.row, found.column) == (-top % 8, -left % 8)
    return found is not None, correct


def seconds(image: np.ndarray) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        find_grid(image)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    images = load_images(_IMAGES.value, _COUNT.value)
    rows = []
    for side in SIDES:
        rng = np.random.default_rng(side)
        fitting = [image for image in images if min(image.shape[:2]) >= side]
        if not fitting:
            continue
        cells = []
        for quality in QUALITIES:
            results = [detect(Jpeg(quality).compress(image), side, rng) for image in fitting]
            found, correct = np.mean(results, axis=0)
            cells.append(f"{100 * correct:.0f} / {100 * (found - correct):.0f}")
        clean = [detect(image, side, rng)[0] for image in fitting * CLEAN_CROPS]
        rows.append((f"{side}×{side}", *cells, f"{sum(clean)} of {len(clean)}"))
    print_table(
        f"{len(images)} images: grid found at the correct / a wrong offset, in %",
        ("crop", *(f"Q {quality}" for quality in QUALITIES), "clean: false alarms"),
        rows,
    )
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000), np.uint8)
    jpeg = Jpeg(50).compress(noise)
    print(
        f"\n{seconds(jpeg):.2f} s per megapixel, {seconds(noise):.2f} s without a grid (best of 5)"
    )


if __name__ == "__main__":
    program.start(main)
