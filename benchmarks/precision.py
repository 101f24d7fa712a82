"""PSNR and time of restoring in bfloat16 compared with float32, on trained weights.

    python -m benchmarks.precision --images=FOLDER [--weights=tiny --qualities=10,40,80]

Parameters and DCT stay float32 (`ComputeDtype`). Gray, studio-range luma, non-blind.
"""

import dataclasses
import time

import numpy as np
from absl import flags

from agarnet_jax import runtime, weights
from agarnet_jax.color import LumaRange
from agarnet_jax.models import ComputeDtype
from agarnet_jax.restoration import Restorer
from benchmarks.images import psnr
from benchmarks.timing import print_table
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.sources.images import ImageSource
from data_pipelines.sources.opening import open_images
from experiments import program

_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_QUALITIES = flags.DEFINE_list("qualities", ["10", "40", "80"], "JPEG qualities.")


def score(restorer: Restorer, images: ImageSource, quality: int) -> tuple[float, float]:
    """Measures the mean PSNR and the total seconds over all images."""
    scores, seconds = [], 0.0
    for clean in images:
        degraded = Jpeg(quality).compress(clean)
        start = time.perf_counter()
        restored = restorer.restore(degraded, quality=quality).image
        seconds += time.perf_counter() - start
        scores.append(psnr(restored, clean))
    return float(np.mean(scores)), seconds


def main() -> None:
    runtime.prepare()
    images = open_images(_IMAGES.value, luma_range=LumaRange.STUDIO, cache_gib=1)
    trained = weights.load(_WEIGHTS.value)
    restorers = {
        dtype: Restorer(
            dataclasses.replace(
                trained,
                restorer_config=dataclasses.replace(trained.restorer_config, compute_dtype=dtype),
            )
        )
        for dtype in ComputeDtype
    }
    rows = []
    for quality in map(int, _QUALITIES.value):
        for restorer in restorers.values():
            score(restorer, images, quality)  # warm-up: compiles for every size
        single, single_seconds = score(restorers[ComputeDtype.FLOAT32], images, quality)
        half, half_seconds = score(restorers[ComputeDtype.BFLOAT16], images, quality)
        rows.append(
            (
                f"{quality}",
                f"{single:.3f}",
                f"{half:.3f}",
                f"{half - single:+.3f}",
                f"{half_seconds / single_seconds:.2f}",
            )
        )
    print_table(
        f"{_WEIGHTS.value}, {len(images)} images of {_IMAGES.value}, PSNR in dB",
        ("Q", "float32", "bfloat16", "difference", "time / float32"),
        rows,
    )


if __name__ == "__main__":
    program.start(main)
