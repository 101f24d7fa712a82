"""Training losses; scalars, float32."""

import jax
import jax.numpy as jnp


def l1(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Mean absolute difference; shapes must be equal."""
    if prediction.shape != target.shape:
        raise ValueError(f"l1 of shapes {prediction.shape} and {target.shape}; they must be equal.")
    return jnp.abs(prediction.astype(jnp.float32) - target.astype(jnp.float32)).mean()
