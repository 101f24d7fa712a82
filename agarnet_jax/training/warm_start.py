"""Warm starts: how given weights are loaded into a freshly initialized model.

Parameters are nested dicts.
"""

import enum
from typing import Any

import flax.traverse_util
import jax.numpy as jnp

from agarnet_jax.configs import member
from agarnet_jax.models.parameter_shapes import UNEXPECTED, shape_mismatches, shapes
from agarnet_jax.training.growth import MisfitError, check_growth, format_mismatches, grow


class InitialFit(enum.Enum):
    """How the initial weights must match the model.

    EXACT: the weights have exactly the model's parameters. PARTIAL: parameters of the same name and
    shape are loaded, the others are listed in the log. GROWN: the weights are of a narrower or
    shallower network, and the model initially computes the same function.
    """

    EXACT = "exact"
    PARTIAL = "partial"
    GROWN = "grown"


def check_initial_params(
    params: Any, expected: Any, how: InitialFit | str = InitialFit.EXACT
) -> str:
    """Checks whether `params` can be loaded into a model with the parameters `expected`.

    Returns:
      With PARTIAL, a message that lists the parameters that will not be loaded; "" if there are
      none.

    Raises:
      MisfitError: with EXACT, if any parameter does not match; with PARTIAL, if none does; with
        GROWN, as of `check_growth`. The message lists them.
      ValueError: `how` is not a valid choice.
    """
    how = member(InitialFit, how, "how")
    if how is InitialFit.GROWN:
        check_growth(params, expected)
        return ""
    mismatches = shape_mismatches(params, expected)
    if not mismatches:
        return ""
    count = len(shapes(expected))
    loaded = count - sum(wanted != UNEXPECTED for _, wanted in mismatches.values())
    if how is InitialFit.EXACT or not loaded:
        raise MisfitError(
            "These weights do not fit the model (train.init_fit=partial loads those that do, "
            f"grown starts a larger model from a smaller one):{format_mismatches(mismatches)}"
        )
    return (
        f"Loaded {loaded} of the model's {count} parameters; these do not match:"
        f"{format_mismatches(mismatches)}"
    )


def load_initial_params(params: Any, fresh: Any, how: InitialFit | str) -> Any:
    """Returns `fresh` with the values of `params`, which have passed `check_initial_params`."""
    if member(InitialFit, how, "how") is InitialFit.GROWN:
        return grow(params, fresh)
    given = flax.traverse_util.flatten_dict(params, sep="/")
    return flax.traverse_util.unflatten_dict(
        {
            name: given[name] if name in given and jnp.shape(given[name]) == value.shape else value
            for name, value in flax.traverse_util.flatten_dict(fresh, sep="/").items()
        },
        sep="/",
    )
