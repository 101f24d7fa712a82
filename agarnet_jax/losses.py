"""Training losses; scalars, float32. All are ours: the paper's training code was not released.

They raise ValueError for a prediction and a target of different shapes, and for integers.
"""

import dataclasses
import enum

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from agarnet_jax.configs import Config, require
from agarnet_jax.dct import block_dct
from agarnet_jax.image_arrays import as_float32

# Keeps a root's gradient finite for equal images; a fortieth of a gray level, squared.
_SQUARED_FLOOR = 1e-8


class LossKind(enum.Enum):
    """What a difference d between restored and clean costs: |d|, √(d² + ε²) − ε, d², or its root.

    RMSE is the root of an image's mean d²: PSNR's order, with images of all qualities weighing
    about as much as they do in L1.
    """

    L1 = "l1"
    CHARBONNIER = "charbonnier"
    MSE = "mse"
    RMSE = "rmse"


@dataclasses.dataclass(frozen=True)
class LossConfig(Config):
    """The restorer's loss on an image in [0, 1]. The estimator's is L1 on quality / 100."""

    kind: LossKind = LossKind.L1
    charbonnier_epsilon: float = 1e-3  # ε: below it the cost is quadratic; a quarter gray level
    frequency_weight: float = 0.0  # of the L1 between 8×8 block DCTs; 0 leaves it out

    def __post_init__(self):
        super().__post_init__()
        require(self, "above 0", lambda value: value > 0, "charbonnier_epsilon")
        require(self, "0 or more", lambda value: value >= 0, "frequency_weight")


def image_loss(prediction: ArrayLike, target: ArrayLike, config: LossConfig) -> jax.Array:
    """Computes the configured loss of images (B, H, W, 1) in [0, 1], without the frequency loss."""
    if config.kind is LossKind.CHARBONNIER:
        return charbonnier(prediction, target, epsilon=config.charbonnier_epsilon)
    plain = {LossKind.L1: l1, LossKind.MSE: mse, LossKind.RMSE: rmse}
    return plain[config.kind](prediction, target)


def l1(prediction: ArrayLike, target: ArrayLike) -> jax.Array:
    """Computes the mean absolute difference."""
    return jnp.abs(_difference(prediction, target)).mean()


def charbonnier(prediction: ArrayLike, target: ArrayLike, *, epsilon: float) -> jax.Array:
    """Computes the mean of √(d² + ε²) − ε, an L1 that is smooth at 0."""
    squares = jnp.square(_difference(prediction, target))
    return (jnp.sqrt(squares + epsilon**2) - epsilon).mean()


def mse(prediction: ArrayLike, target: ArrayLike) -> jax.Array:
    """Computes the mean squared difference."""
    return jnp.square(_difference(prediction, target)).mean()


def rmse(prediction: ArrayLike, target: ArrayLike) -> jax.Array:
    """Computes the root of each image's mean squared difference, and its mean over (B, H, W, 1)."""
    squares = jnp.square(_difference(prediction, target)).mean(axis=(1, 2, 3))
    return jnp.sqrt(squares + _SQUARED_FLOOR).mean()


def frequency_l1(prediction: ArrayLike, target: ArrayLike) -> jax.Array:
    """Computes the mean absolute difference of the 8×8 block DCTs of images (B, H, W, 1).

    The DCT is orthonormal; JPEG rounds its coefficients one by one. Beside L1 of pixels, noise
    counts the same here, and an error in one coefficient of a block an eighth.
    """
    return jnp.abs(block_dct(_difference(prediction, target))).mean()


def _difference(prediction: ArrayLike, target: ArrayLike) -> jax.Array:
    prediction, target = as_float32(prediction, "prediction"), as_float32(target, "target")
    if prediction.shape != target.shape:
        raise ValueError(
            f"Losses compare images of equal shapes; got {prediction.shape} and {target.shape}, "
            "which must be equal."
        )
    return prediction - target
