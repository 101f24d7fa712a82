"""Training losses: float32 scalars. All are ours, since the paper's training code is unpublished.

They raise ValueError if prediction and target differ in shape or are integers.
"""

import dataclasses
import enum

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from agarnet_jax.configs import Config, require
from agarnet_jax.dct import block_dct
from agarnet_jax.image_arrays import as_float32

# Keeps the gradient of the root finite for equal images; a fortieth of a gray level, squared.
_RMSE_EPSILON = 1e-8


class LossKind(enum.Enum):
    """The loss for a difference d of restored and clean image: |d|, √(d² + ε²) − ε, d² or RMSE.

    RMSE, the root of an image's mean d², ranks results as PSNR does and weights images of all
    qualities about as L1 does.
    """

    L1 = "l1"
    CHARBONNIER = "charbonnier"
    MSE = "mse"
    RMSE = "rmse"


@dataclasses.dataclass(frozen=True)
class LossConfig(Config):
    """The restorer's loss, on images in [0, 1]. The estimator's loss is L1 of quality / 100."""

    kind: LossKind = LossKind.L1
    charbonnier_epsilon: float = 1e-3  # ε: the loss is quadratic below it; a quarter gray level
    frequency_weight: float = 0.0  # of the L1 loss of 8×8 block DCTs; 0 omits it

    def __post_init__(self):
        super().__post_init__()
        require(self, "above 0", lambda value: value > 0, "charbonnier_epsilon")
        require(self, "0 or more", lambda value: value >= 0, "frequency_weight")


def image_loss(prediction: ArrayLike, target: ArrayLike, config: LossConfig) -> jax.Array:
    """Computes the configured loss of images (B, H, W, 1) in [0, 1], without the frequency loss."""
    if config.kind is LossKind.CHARBONNIER:
        return charbonnier(prediction, target, epsilon=config.charbonnier_epsilon)
    functions = {LossKind.L1: l1, LossKind.MSE: mse, LossKind.RMSE: rmse}
    return functions[config.kind](prediction, target)


def l1(prediction: ArrayLike, target: ArrayLike) -> jax.Array:
    """Computes the mean absolute difference."""
    return jnp.abs(_difference(prediction, target)).mean()


def charbonnier(prediction: ArrayLike, target: ArrayLike, *, epsilon: float) -> jax.Array:
    """Computes the mean of √(d² + ε²) − ε, a variant of L1 that is smooth at 0."""
    squares = jnp.square(_difference(prediction, target))
    return (jnp.sqrt(squares + epsilon**2) - epsilon).mean()


def mse(prediction: ArrayLike, target: ArrayLike) -> jax.Array:
    """Computes the mean squared difference."""
    return jnp.square(_difference(prediction, target)).mean()


def rmse(prediction: ArrayLike, target: ArrayLike) -> jax.Array:
    """Computes the root mean squared difference of each image of (B, H, W, 1), and their mean."""
    squares = jnp.square(_difference(prediction, target)).mean(axis=(1, 2, 3))
    return jnp.sqrt(squares + _RMSE_EPSILON).mean()


def frequency_l1(prediction: ArrayLike, target: ArrayLike) -> jax.Array:
    """Computes the mean absolute difference of the 8×8 block DCTs of images (B, H, W, 1).

    The DCT is orthonormal, and JPEG rounds its coefficients individually. Compared with L1 of
    pixels, noise costs the same here, and an error in a single coefficient of a block an eighth.
    """
    return jnp.abs(block_dct(_difference(prediction, target))).mean()


def _difference(prediction: ArrayLike, target: ArrayLike) -> jax.Array:
    prediction, target = as_float32(prediction, "prediction"), as_float32(target, "target")
    if prediction.shape != target.shape:
        raise ValueError(
            f"Losses need equal shapes, got {prediction.shape} (prediction) and "
            f"{target.shape} (target)."
        )
    return prediction - target
