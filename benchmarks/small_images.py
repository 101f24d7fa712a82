"""Many small images: `Restorer.restore_many` beside `restore` of each.

    python -m benchmarks.small_images [--sides=64,128,256 --count=32 --rounds=5 --weights=tiny]

Square colour JPEGs (4:2:0) of one size, quality estimated, compiled before.
"""

import functools

import numpy as np
from absl import flags
from PIL import Image

from agarnet_jax import runtime
from agarnet_jax.restoration import Restorer
from benchmarks.pictures import saved_jpeg
from benchmarks.timing import compare, milliseconds, print_table, spread
from experiments import program

_SIDES = flags.DEFINE_list("sides", ["64", "128", "256"], "Sides of the images.")
_COUNT = flags.DEFINE_integer("count", 32, "How many images.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "How often each case is timed.")
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")


def jpeg(side: int, seed: int) -> Image.Image:
    """Makes a decoded JPEG of smooth noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    picture = saved_jpeg(np.asarray(Image.fromarray(noise).resize((side, side))), quality=30)
    picture.load()
    return picture


def one_by_one(restorer: Restorer, images: list[Image.Image]) -> None:
    for image in images:
        restorer.restore(image)


def together(restorer: Restorer, images: list[Image.Image]) -> None:
    for _ in restorer.restore_many(images):
        pass


def main() -> None:
    runtime.prepare()
    restorer = Restorer.from_pretrained(_WEIGHTS.value)
    rows = []
    for side in map(int, _SIDES.value):
        images = [jpeg(side, seed) for seed in range(_COUNT.value)]
        cases = {
            function.__name__: functools.partial(function, restorer, images)
            for function in (one_by_one, together)
        }
        timings = compare(cases, rounds=_ROUNDS.value)
        alone, joint = timings["one_by_one"], timings["together"]
        each = [
            spread([time / _COUNT.value for time in milliseconds(seconds)], digits=1)
            for seconds in (alone.wall, joint.wall, alone.cpu, joint.cpu)
        ]
        rows.append((f"{side}×{side}", *each, spread(joint.ratio(alone))))
    print_table(
        f"{_WEIGHTS.value}, {_COUNT.value} colour JPEGs: ms an image",
        ("size", "one by one", "together", "one by one, CPU", "together, CPU", "ratio"),
        rows,
    )


if __name__ == "__main__":
    program.start(main)
