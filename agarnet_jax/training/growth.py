"""Function-preserving growth: initializes a larger restorer from a smaller trained one.

After Net2Net (Chen, Goodfellow, Shlens, ICLR 2016), but with randomly initialized new features
instead of copied ones. Weights from new to old features start at zero, so the old features are
computed as before, while the first gradients already show how useful the new ones are. New residual
blocks start as the identity. None of this is from the paper.
"""

from collections.abc import Collection, Mapping
from typing import Any

import flax.traverse_util
import jax
import jax.numpy as jnp

from agarnet_jax.models.parameter_shapes import MISSING, Shape, shape_mismatches

# The inputs of these convolutions are the features of the level below, two thirds, followed by
# those of the skip connection (`AGARNET.md` §5); each part grows separately.
_MERGES = ("decoder2_merge", "decoder1_merge")

ParamPath = tuple[str, ...]


class MisfitError(ValueError):
    """Raised when initial weights do not match the model."""


def check_growth(smaller: Any, larger: Any) -> None:
    """Checks that `grow` can initialize the larger network from the smaller one.

    Raises:
      MisfitError: lists the parameters of `smaller` that do not fit into those of `larger`, and
        parameters outside new residual blocks that only `larger` has, which would change the
        output.
    """
    blocks = {path[:2] for path in _flat(smaller)}
    problems = {
        name: (given, wanted)
        for name, (given, wanted) in shape_mismatches(smaller, larger).items()
        if not (_is_in_new_block(name, blocks) if given == MISSING else _fits_into(given, wanted))
    }
    if problems:
        raise MisfitError(
            "These weights cannot grow into the model, which must be at least as wide and deep "
            "and have the same gates:" + format_mismatches(problems)
        )


def format_mismatches(mismatches: Mapping[str, tuple[Shape | str, Shape | str]]) -> str:
    """Formats the result of `shape_mismatches`, one parameter per line."""
    return "".join(
        f"\n  {name}: {given}, the model has {wanted}"
        for name, (given, wanted) in mismatches.items()
    )


def grow(smaller: Any, larger: Any) -> Any:
    """Embeds a smaller network in a larger one that computes the same function.

    Args:
      smaller: parameters of a restorer, nested dicts.
      larger: freshly initialized parameters of a restorer with at least as many features and
        blocks.
    """
    given = _flat(smaller)
    return flax.traverse_util.unflatten_dict(
        {
            path: _embed(path, given[path], value) if path in given else _new(path, value)
            for path, value in _flat(larger).items()
        }
    )


def _is_in_new_block(name: str, blocks: Collection[ParamPath]) -> bool:
    """Returns whether a parameter belongs to a residual block, BRANCH/BLOCK, not in `blocks`."""
    block = tuple(name.split("/")[:2])
    return block not in blocks and "block" in block[-1]


def _new(path: ParamPath, fresh: jax.Array) -> jax.Array:
    """Initializes a parameter of a new block, whose last convolution starts at zero."""
    return jnp.zeros_like(fresh) if "conv2" in path else fresh


def _embed(path: ParamPath, old: jax.Array, fresh: jax.Array) -> jax.Array:
    outputs = jnp.arange(old.shape[-1])
    if path[-1] != "kernel":
        return fresh.at[outputs].set(old)
    inputs = _input_indices(old.shape[-2], fresh.shape[-2], merged=path[-2] in _MERGES)
    return fresh.at[..., outputs].set(0).at[..., inputs[:, None], outputs].set(old)


def _input_indices(old: int, new: int, *, merged: bool) -> jax.Array:
    """Returns the indices of a convolution's `old` inputs among its `new` ones."""
    if not merged:
        return jnp.arange(old)
    below = 2 * old // 3
    return jnp.concatenate([jnp.arange(below), 2 * new // 3 + jnp.arange(old - below)])


def _fits_into(small: Shape | str, large: Shape | str) -> bool:
    """Returns whether windows are equal, and `small` has no more inputs and outputs."""
    return (
        not isinstance(small, str)
        and not isinstance(large, str)
        and len(small) == len(large)
        and small[:-2] == large[:-2]
        and all(a <= b for a, b in zip(small[-2:], large[-2:]))
    )


def _flat(params: Any) -> dict[ParamPath, jax.Array]:
    return flax.traverse_util.flatten_dict(params)
