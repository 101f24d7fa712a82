"""Shapes of parameters by name, and in which two networks differ. Parameters are nested dicts."""

from typing import Any

import flax.traverse_util
import jax.numpy as jnp

Shape = tuple[int, ...]
MISSING, NO_SUCH = "missing", "no such"


def misfits(params: Any, expected: Any) -> dict[str, tuple[Shape | str, Shape | str]]:
    """Lists, by name, the parameters whose shapes differ, each with both shapes.

    `MISSING` and `NO_SUCH` stand for the shape of one that `params` or `expected` does not have.
    """
    given, wanted = shapes(params), shapes(expected)
    names = sorted(name for name in given | wanted if given.get(name) != wanted.get(name))
    return {name: (given.get(name, MISSING), wanted.get(name, NO_SUCH)) for name in names}


def shapes(params: Any) -> dict[str, Shape]:
    """Lists the shapes of parameters by name, such as "pixel_branch/out/kernel"."""
    flat = flax.traverse_util.flatten_dict(params, sep="/")
    return {name: tuple(jnp.shape(value)) for name, value in flat.items()}
