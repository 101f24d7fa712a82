"""Many small images: `Restorer.restore_many` compared with `restore` of each.

    python -m benchmarks.small_images [--sides=64,128,256 --count=32 --rounds=5 --weights=tiny]

Square colour JPEGs (4:2:0) of equal size, blind; compilation is excluded.
"""

import functools

import numpy as np
from absl import flags
from PIL import Image

from agarnet_jax.restoration import Restorer
from benchmarks.images import saved_jpeg
from benchmarks.restorers import load_restorer
from benchmarks.timing import compare, milliseconds, print_table, spread
from experiments import program

_SIDES = flags.DEFINE_list("sides", ["64", "128", "256"], "Side lengths of the images.")
_COUNT = flags.DEFINE_integer("count", 32, "Number of images.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Timing rounds.")
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")


def jpeg(side: int, seed: int) -> Image.Image:
    """Returns a decoded JPEG of smooth noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    picture = saved_jpeg(np.asarray(Image.fromarray(noise).resize((side, side))), quality=30)
    picture.load()
    return picture


def one_by_one(restorer: Restorer, images: list[Image.Image]) -> None:
    for image in images:
        restorer.restore(image)


def batched(restorer: Restorer, images: list[Image.Image]) -> None:
    for _ in restorer.restore_many(images):
        pass


def main() -> None:
    restorer = load_restorer(_WEIGHTS.value)
    rows = []
    for side in map(int, _SIDES.value):
        images = [jpeg(side, seed) for seed in range(_COUNT.value)]
        cases = {
            function.__name__: functools.partial(function, restorer, images)
            for function in (one_by_one, batched)
        }
        timings = compare(cases, rounds=_ROUNDS.value)
        single, batch = timings["one_by_one"], timings["batched"]
        per_image = [
            spread([time / _COUNT.value for time in milliseconds(seconds)], digits=1)
            for seconds in (single.wall, batch.wall, single.cpu, batch.cpu)
        ]
        rows.append((f"{side}×{side}", *per_image, spread(batch.ratio(single))))
    print_table(
        f"{_WEIGHTS.value}, {_COUNT.value} colour JPEGs: ms per image",
        (
            "size",
            "one by one",
            "batched",
            "one by one, CPU",
            "batched, CPU",
            "batched / one by one",
        ),
        rows,
    )


if __name__ == "__main__":
    program.start(main)
