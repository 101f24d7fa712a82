"""Time of the 8×8 block DCT and its inverse, relative to SciPy's DCT of the same blocks.

python -m benchmarks.dct [--sides=512,2048]
"""

import functools

import jax
import numpy as np
import scipy.fft
from absl import flags

from agarnet_jax import runtime
from agarnet_jax.dct import block_dct, block_idct
from benchmarks.timing import Case, compare, milliseconds, print_table, spread
from experiments import program

_SIDES = flags.DEFINE_list("sides", ["512", "2048"], "Side lengths of the image.")
_ROUNDS = flags.DEFINE_integer("rounds", 9, "Timing rounds.")


def run(function, x: jax.Array) -> None:
    function(x).block_until_ready()


def scipy_dct(blocks: np.ndarray) -> np.ndarray:
    """Transforms blocks (h, w, 8, 8), using all cores."""
    return scipy.fft.dctn(blocks, axes=(2, 3), norm="ortho", workers=-1)


def main() -> None:
    runtime.keep_freed_memory()
    rows = []
    for side in map(int, _SIDES.value):
        image = np.random.default_rng(0).random((1, side, side, 1), np.float32)
        blocks = np.ascontiguousarray(
            image.reshape(side // 8, 8, side // 8, 8).transpose(0, 2, 1, 3)
        )
        on_device = jax.device_put(image)
        cases: dict[str, Case] = {
            "block_dct": functools.partial(run, jax.jit(block_dct), on_device),
            "block_idct": functools.partial(run, jax.jit(block_idct), block_dct(on_device)),
            "SciPy dctn": functools.partial(scipy_dct, blocks),
        }
        timings = compare(cases, rounds=_ROUNDS.value)
        rows += [
            (f"{side}×{side}", name, spread(milliseconds(t.wall)), spread(t.ratio(reference)))
            for reference in [timings["SciPy dctn"]]
            for name, t in timings.items()
        ]
    print_table("Block DCT", ("image", "", "ms", "× SciPy"), rows)


if __name__ == "__main__":
    program.start(main)
