"""RGB PSNR of colour JPEGs: restored in luma only, and in luma and chroma.

    python -m benchmarks.color --data_dir=DIR      (or AGARNET_DATA=DIR)
        [--set=test/LIVE1_color --qualities=10,20 --subsampling=4:2:0 --images=5 --weights=tiny]

Images are encoded by Pillow; one quality per image is estimated from its pixels; results are 8-bit.
PSNR is computed over all pixels and channels of an image, then averaged over images.
"""

import itertools
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
from absl import app, flags

from agarnet_jax.restoration import Restorer
from benchmarks.images import psnr, saved_jpeg
from benchmarks.restorers import load_restorer
from benchmarks.timing import print_table
from data_pipelines.sources.opening import open_images
from experiments import program

_DATA_DIR = flags.DEFINE_string(
    "data_dir", os.environ.get("AGARNET_DATA"), "Folder of the test sets; AGARNET_DATA by default."
)
_SET = flags.DEFINE_string("set", "test/LIVE1_color", "Folder of RGB images in it.")
_QUALITIES = flags.DEFINE_list("qualities", [str(q) for q in range(10, 100, 10)], "JPEG qualities.")
_SUBSAMPLING = flags.DEFINE_string("subsampling", "4:2:0", "4:4:4, 4:2:2 or 4:2:0.")
_IMAGES = flags.DEFINE_integer("images", None, "Use only the first N images.")
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")


def scores(clean: np.ndarray, quality: int, restorer: Restorer) -> list[float]:
    """Returns the PSNR in dB of the JPEG, with luma restored, and with luma and chroma restored."""
    subsampling = _SUBSAMPLING.value
    in_ycbcr = saved_jpeg(clean, quality, subsampling=subsampling, ycbcr=True)
    images = [
        saved_jpeg(clean, quality, subsampling=subsampling),
        restorer.restore(in_ycbcr, chroma=False).image,
        restorer.restore(in_ycbcr).image,
    ]
    return [psnr(np.asarray(image), clean) for image in images]


def rows(images: Sequence[np.ndarray], restorer: Restorer) -> Iterator[tuple[str, ...]]:
    """Yields the table row of each quality as soon as it is measured."""
    for quality in map(int, _QUALITIES.value):
        jpeg, luma, both = np.mean([scores(image, quality, restorer) for image in images], axis=0)
        gains = (f"{both - before:+.2f}" for before in (jpeg, luma))
        yield f"{quality}", f"{jpeg:.2f}", f"{luma:.2f}", f"{both:.2f}", *gains


def main() -> None:
    if not _DATA_DIR.value:
        raise app.UsageError("Set the folder of the test sets: --data_dir=DIR or AGARNET_DATA.")
    restorer = load_restorer(_WEIGHTS.value)
    images = open_images(pathlib.Path(_DATA_DIR.value) / _SET.value, luma_range=None)
    chosen = list(itertools.islice(images, _IMAGES.value))
    print_table(
        f"{_SET.value}, {len(chosen)} images, {_SUBSAMPLING.value}, {_WEIGHTS.value}: RGB PSNR, dB",
        ("Q", "JPEG", "luma", "luma + chroma", "gain over JPEG", "gain over luma"),
        rows(chosen, restorer),
    )


if __name__ == "__main__":
    program.start(main)
