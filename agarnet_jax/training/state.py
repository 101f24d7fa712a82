"""What a training step carries over to the next."""

from typing import Any

import flax.struct
import flax.traverse_util
import jax
import jax.numpy as jnp
import optax


@flax.struct.dataclass
class TrainState:
    """`ema_params` is the running average of `params` that is evaluated and shipped."""

    step: jax.Array  # () int32, steps done
    params: Any
    ema_params: Any
    opt_state: optax.OptState

    @classmethod
    def create(cls, params: Any, optimizer: optax.GradientTransformation) -> "TrainState":
        return cls(
            step=jnp.zeros((), jnp.int32),
            params=params,
            ema_params=jax.tree.map(jnp.copy, params),
            opt_state=optimizer.init(params),
        )


def misfits(params: Any, expected: Any) -> list[str]:
    """Says of every parameter that is missing, unknown or of another shape which one it is."""
    given, wanted = _shapes(params), _shapes(expected)
    return [
        f"{name}: {given.get(name, 'missing')}, the model has {wanted.get(name, 'no such')}"
        for name in sorted(given.keys() | wanted.keys())
        if given.get(name) != wanted.get(name)
    ]


def check_fit(params: Any, expected: Any, *, partial: bool = False) -> str:
    """Returns what to tell of parameters of which some do not fit; "" if all do.

    Raises:
      ValueError: naming those that do not fit, if any, or, with `partial`, if none does.
    """
    problems, wanted = misfits(params, expected), _shapes(expected)
    if not problems:
        return ""
    loaded = sum(shape == wanted.get(name) for name, shape in _shapes(params).items())
    listed = "\n  ".join(problems)
    if not partial or not loaded:
        raise ValueError(
            f"These weights do not fit the model (train.init_partial loads what fits):\n  {listed}"
        )
    return f"Loaded {loaded} of the model's {len(wanted)} parameters; not:\n  {listed}"


def take_what_fits(params: Any, fresh: Any) -> Any:
    """`fresh` with each parameter that `params` has in the same shape taken from there."""
    given = flax.traverse_util.flatten_dict(params, sep="/")
    return flax.traverse_util.unflatten_dict(
        {
            name: given[name] if name in given and jnp.shape(given[name]) == value.shape else value
            for name, value in flax.traverse_util.flatten_dict(fresh, sep="/").items()
        },
        sep="/",
    )


def _shapes(params: Any) -> dict[str, tuple[int, ...]]:
    flat = flax.traverse_util.flatten_dict(params, sep="/")
    return {name: tuple(jnp.shape(value)) for name, value in flat.items()}
