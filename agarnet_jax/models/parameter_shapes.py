"""Compares the parameter shapes of two networks. Parameters are nested dicts of arrays."""

from typing import Any

import flax.traverse_util
import jax.numpy as jnp

Shape = tuple[int, ...]
MISSING, UNEXPECTED = "missing", "no such parameter"


def shape_mismatches(params: Any, expected: Any) -> dict[str, tuple[Shape | str, Shape | str]]:
    """Returns, by parameter name, the (given, expected) shapes that differ.

    The given shape is `MISSING` if only `expected` has the parameter; the expected shape is
    `UNEXPECTED` if only `params` has it.
    """
    given, wanted = shapes(params), shapes(expected)
    names = sorted(name for name in given | wanted if given.get(name) != wanted.get(name))
    return {name: (given.get(name, MISSING), wanted.get(name, UNEXPECTED)) for name in names}


def shapes(params: Any) -> dict[str, Shape]:
    """Returns the shape of every parameter by its path, such as "pixel_branch/out/kernel"."""
    flat = flax.traverse_util.flatten_dict(params, sep="/")
    return {path: tuple(jnp.shape(value)) for path, value in flat.items()}
