"""Restoration speed in megapixels per second and peak memory, by image size.

    python -m benchmarks.restoration [--weights=tiny --megapixels=1,12,48 --tile=512]

Each size is measured in its own process, so the peaks are independent. Images are random, in
colour, of aspect ratio 4:3, treated as 4:2:0; luma and chroma are restored with the estimated
quality. `first` includes compilation; `again` restores the same image once more.
"""

import multiprocessing
import resource
import time

import numpy as np
from absl import flags

from benchmarks.timing import print_table
from experiments import program

_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_MEGAPIXELS = flags.DEFINE_list("megapixels", ["1", "12", "48"], "Image sizes in megapixels.")
_TILE = flags.DEFINE_integer("tile", 512, "Largest side of a tile; 0 disables tiling.")


def measure(weights: str, tile: int, megapixels: float) -> tuple[float, float, float]:
    """Measures the seconds of a first and a second restoration, and peak memory in bytes."""
    from agarnet_jax import runtime
    from agarnet_jax.restoration import Restorer
    from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader

    runtime.use_cpu_devices()
    runtime.keep_freed_memory(sizes_vary=True)
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(megapixels * 1e6 / height)
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    sampling = ((2, 2), (1, 1), (1, 1))
    header = JpegHeader(3 * (np.ones((8, 8), np.int64),), sampling, Coding.YCBCR, False)
    restorer = Restorer.from_pretrained(weights, tile=tile or None)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        restorer.restore(image, header=header)
        seconds.append(time.perf_counter() - start)
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return seconds[0], seconds[1], peak


def main() -> None:
    rows = []
    for text in _MEGAPIXELS.value:
        size = float(text)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            first, again, peak = pool.apply(measure, (_WEIGHTS.value, _TILE.value, size))
        rows.append(
            (text, f"{first:.1f}", f"{again:.1f}", f"{size / again:.2f}", f"{peak / 2**30:.2f}")
        )
    print_table(
        f"{_WEIGHTS.value}, tiles of {_TILE.value}",
        ("Mpx", "first, s", "again, s", "Mpx/s", "peak memory, GiB"),
        rows,
    )


if __name__ == "__main__":
    program.start(main)
