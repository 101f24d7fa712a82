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


def check_fit(params: Any, expected: Any) -> None:
    """Raises ValueError naming every parameter that is missing, unknown or of another shape."""
    given = {k: jnp.shape(v) for k, v in flax.traverse_util.flatten_dict(params, sep="/").items()}
    wanted = {k: v.shape for k, v in flax.traverse_util.flatten_dict(expected, sep="/").items()}
    problems = [
        f"{name}: {given.get(name, 'missing')}, the model has {wanted.get(name, 'no such')}"
        for name in sorted(given.keys() | wanted.keys())
        if given.get(name) != wanted.get(name)
    ]
    if problems:
        raise ValueError("These weights do not fit the model:\n  " + "\n  ".join(problems))
