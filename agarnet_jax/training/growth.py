"""A larger restorer that starts as a smaller trained one: function-preserving growth.

After Net2Net (Chen, Goodfellow, Shlens, ICLR 2016), with new features instead of copied ones: they
begin at random and reach the old features with weight zero, so that the old ones are computed as
before, and the first gradients tell what the new ones are good for. New residual blocks begin as
the identity. None of it is the paper's.
"""

from collections.abc import Iterable
from typing import Any

import flax.traverse_util
import jax
import jax.numpy as jnp

# The inputs of these convolutions are features of the level below, two thirds, and then those of
# the skip connection (`AGARNET.md` §5); each part grows by itself.
_MERGES = ("decoder2_merge", "decoder1_merge")

Path = tuple[str, ...]  # of a parameter


class MisfitError(ValueError):
    """Weights to start from do not fit the model."""


def check_growth(smaller: Any, larger: Any) -> None:
    """Checks that `grow` can start the larger network as the smaller one.

    Raises:
      MisfitError: naming the parameters of `smaller` that are not a part of those of `larger`,
        and those that only `larger` has outside new residual blocks, which would change what is
        computed.
    """
    given, wanted = _flat(smaller), _flat(larger)
    new = _of_new_blocks(given, wanted)
    problems = [
        f"\n  {'/'.join(path)}: {jnp.shape(value)}, the model has "
        + (f"{wanted[path].shape}" if path in wanted else "no such")
        for path, value in given.items()
        if path not in wanted or not _is_part(jnp.shape(value), wanted[path].shape)
    ] + [
        f"\n  {'/'.join(path)}: missing, the model has {value.shape}"
        for path, value in wanted.items()
        if path not in given and path not in new
    ]
    if problems:
        raise MisfitError(
            "These weights cannot grow into the model, which has to be at least as wide and "
            "deep, with the same gates:" + "".join(problems)
        )


def grow(smaller: Any, larger: Any) -> Any:
    """Puts a smaller network into a larger one, so that both compute the same.

    Args:
      smaller: parameters of a restorer, as nested dicts.
      larger: parameters of a restorer with at least as many features and blocks, as initialized.
    """
    given = _flat(smaller)
    return flax.traverse_util.unflatten_dict(
        {
            path: _new(path, value) if path not in given else _grown(path, given[path], value)
            for path, value in _flat(larger).items()
        }
    )


def _of_new_blocks(given: Iterable[Path], wanted: Iterable[Path]) -> set[Path]:
    """The parameters, (branch, block, …), of residual blocks that only the larger network has."""
    known = {path[:2] for path in given}
    return {path for path in wanted if path[:2] not in known and "block" in path[:2][-1]}


def _new(path: Path, fresh: jax.Array) -> jax.Array:
    """Begins a parameter of a new block, whose last convolution gives zero at first."""
    return jnp.zeros_like(fresh) if "conv2" in path else fresh


def _grown(path: Path, old: jax.Array, fresh: jax.Array) -> jax.Array:
    outputs = jnp.arange(old.shape[-1])
    if path[-1] != "kernel":
        return fresh.at[outputs].set(old)
    inputs = _places(old.shape[-2], fresh.shape[-2], merged=path[-2] in _MERGES)
    return fresh.at[..., outputs].set(0).at[..., inputs[:, None], outputs].set(old)


def _places(old: int, new: int, *, merged: bool) -> jax.Array:
    """Where the `old` inputs of a convolution are among the `new` ones."""
    if not merged:
        return jnp.arange(old)
    below = 2 * old // 3
    return jnp.concatenate([jnp.arange(below), 2 * new // 3 + jnp.arange(old - below)])


def _is_part(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    """Whether windows agree, and neither inputs nor outputs are more."""
    return (
        len(small) == len(large)
        and small[:-2] == large[:-2]
        and all(a <= b for a, b in zip(small[-2:], large[-2:]))
    )


def _flat(params: Any) -> dict[Path, jax.Array]:
    return flax.traverse_util.flatten_dict(params)
