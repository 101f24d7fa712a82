"""What computing in bfloat16 costs in PSNR, and what it does to the time, on trained weights.

    python -m benchmarks.precision --images=FOLDER [--weights=tiny --qualities=10,40,80]

Parameters and DCT stay float32 (`ComputeDtype`); true quality given; gray, studio-range luma.
"""

import dataclasses
import time

import numpy as np
from absl import flags

from agarnet_jax import runtime, weights
from agarnet_jax.color import LumaRange
from agarnet_jax.metrics import as_batch, psnr
from agarnet_jax.models import ComputeDtype
from agarnet_jax.restoration import Restorer
from benchmarks.timing import print_table
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.sources.images import ImageSource
from data_pipelines.sources.opening import open_images
from experiments import program

_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_IMAGES = flags.DEFINE_string("images", None, "Folder of clean images.", required=True)
_QUALITIES = flags.DEFINE_list("qualities", ["10", "40", "80"], "JPEG qualities.")


def score(restorer: Restorer, images: ImageSource, quality: int) -> tuple[float, float]:
    """Measures the mean PSNR and the seconds for all images."""
    scores, seconds = [], 0.0
    for clean in images:
        degraded = Jpeg(quality).compress(clean)
        start = time.perf_counter()
        restored = restorer.restore(degraded, quality=quality).image
        seconds += time.perf_counter() - start
        scores.append(psnr(as_batch(restored), as_batch(clean)).item())
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
            score(restorer, images, quality)  # compiles for every size
        exact, exact_seconds = score(restorers[ComputeDtype.FLOAT32], images, quality)
        coarse, coarse_seconds = score(restorers[ComputeDtype.BFLOAT16], images, quality)
        rows.append(
            (
                f"{quality}",
                f"{exact:.3f}",
                f"{coarse:.3f}",
                f"{coarse - exact:+.3f}",
                f"{coarse_seconds / exact_seconds:.2f}",
            )
        )
    print_table(
        f"{_WEIGHTS.value}, {len(images)} images of {_IMAGES.value}, PSNR in dB",
        ("Q", "float32", "bfloat16", "difference", "time, × float32"),
        rows,
    )


if __name__ == "__main__":
    program.start(main)
