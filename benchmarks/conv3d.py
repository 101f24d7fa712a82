"""Formulations of the 3×3×3 convolution: time of forward pass, input and kernel gradient.

    python -m benchmarks.conv3d [--shape=8,64,8,8 --features=8,32]

Runs on one device; `--shape` is the batch size, frequencies, block rows and block columns. Outputs
are compared with those of the first formulation.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from agarnet_jax import runtime
from agarnet_jax.models.conv3d import CONV3D
from benchmarks.timing import Case, compare, milliseconds, print_table, spread
from experiments import program

_SHAPE = flags.DEFINE_list("shape", ["8", "64", "8", "8"], "Batch, frequencies, rows, columns.")
_FEATURES = flags.DEFINE_list("features", ["8", "32"], "Numbers of input and output channels.")
_ROUNDS = flags.DEFINE_integer("rounds", 9, "Timing rounds.")


def timed_call(function, *arguments: jax.Array) -> Case:
    """Compiles a function and returns a case that calls it on the arguments."""
    compiled = jax.jit(function)
    return lambda: jax.block_until_ready(compiled(*arguments))


def main() -> None:
    runtime.keep_freed_memory()
    shape = tuple(map(int, _SHAPE.value))
    rng = np.random.default_rng(0)
    for features in map(int, _FEATURES.value):
        x = jnp.asarray(rng.standard_normal((*shape, features), np.float32))
        gradient = jnp.asarray(rng.standard_normal((*shape, features), np.float32))
        kernel = jnp.asarray(rng.standard_normal((3, 3, 3, features, features), np.float32))
        exact = np.asarray(CONV3D[next(iter(CONV3D))](x, kernel))
        rows = []
        columns: list[dict[str, Case]] = [{}, {}, {}]
        for formulation, convolve in CONV3D.items():
            name = formulation.value
            columns[0][name] = timed_call(convolve, x, kernel)
            by_input = functools.partial(_input_gradient, convolve)
            columns[1][name] = timed_call(by_input, gradient, x, kernel)
            by_kernel = functools.partial(_kernel_gradient, convolve)
            columns[2][name] = timed_call(by_kernel, gradient, x, kernel)
        timings = [compare(cases, rounds=_ROUNDS.value) for cases in columns]
        for formulation, convolve in CONV3D.items():
            error = np.abs(np.asarray(convolve(x, kernel)) - exact).max() / np.abs(exact).max()
            cells = [spread(milliseconds(t[formulation.value].wall)) for t in timings]
            rows.append((formulation.value, *cells, f"{error:.0e}"))
        print_table(
            f"{shape} × {features} channels, ms",
            ("", "forward", "input gradient", "kernel gradient", "relative difference"),
            rows,
        )


def _input_gradient(convolve, gradient: jax.Array, x: jax.Array, kernel: jax.Array) -> jax.Array:
    return jax.vjp(lambda x: convolve(x, kernel), x)[1](gradient)[0]


def _kernel_gradient(convolve, gradient: jax.Array, x: jax.Array, kernel: jax.Array) -> jax.Array:
    return jax.vjp(lambda kernel: convolve(x, kernel), kernel)[1](gradient)[0]


if __name__ == "__main__":
    program.start(main)
