"""How weights to start from come into a model. Parameters are nested dicts."""

import enum
from typing import Any

import flax.traverse_util
import jax.numpy as jnp

from agarnet_jax.configs import member
from agarnet_jax.models.parameter_shapes import UNEXPECTED, shape_mismatches, shapes
from agarnet_jax.training.growth import MisfitError, check_growth, grow


class InitialFit(enum.Enum):
    """How weights have to fit the model that starts from them.

    EXACT: every parameter of the weights has its place in the model, and none is missing.
    PARTIAL: those of the same name and shape are loaded, the others named in the log. GROWN: the
    weights are of a narrower or shallower network than the model, which computes at first what
    that network does.
    """

    EXACT = "exact"
    PARTIAL = "partial"
    GROWN = "grown"


def check_initial_params(
    params: Any, expected: Any, how: InitialFit | str = InitialFit.EXACT
) -> str:
    """Checks how parameters fit the model's, and says which do not; "" if all do.

    Raises:
      MisfitError: naming those that do not fit, if any; with PARTIAL, only if none does; with
        GROWN, those that are larger than the model's.
      ValueError: no such way to fit.
    """
    how = member(InitialFit, how, "how")
    if how is InitialFit.GROWN:
        check_growth(params, expected)
        return ""
    found = shape_mismatches(params, expected)
    if not found:
        return ""
    listed = "".join(
        f"\n  {name}: {given}, the model has {wanted}" for name, (given, wanted) in found.items()
    )
    count = len(shapes(expected))
    loaded = count - sum(wanted != UNEXPECTED for _, wanted in found.values())
    if how is InitialFit.EXACT or not loaded:
        raise MisfitError(
            "These weights do not fit the model (train.init_fit: partial loads what fits, grown "
            f"starts a larger model):{listed}"
        )
    return f"Loaded {loaded} of the model's {count} parameters; not:{listed}"


def load_initial_params(params: Any, fresh: Any, how: InitialFit | str) -> Any:
    """Puts `params`, which `check_initial_params` has passed, into their places in `fresh`."""
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
