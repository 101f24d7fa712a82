"""The state that one training step passes to the next."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax


@flax.struct.dataclass
class TrainState:
    """The state of a run. `ema_params` are an exponential moving average of `params`."""

    step: jax.Array  # () int32, number of completed steps
    params: Any
    ema_params: Any  # what is evaluated and shipped
    opt_state: optax.OptState

    @classmethod
    def create(cls, params: Any, optimizer: optax.GradientTransformation) -> "TrainState":
        """Creates the state before the first step; the average starts at `params`."""
        return cls(
            step=jnp.zeros((), jnp.int32),
            params=params,
            ema_params=jax.tree.map(jnp.copy, params),
            opt_state=optimizer.init(params),
        )
