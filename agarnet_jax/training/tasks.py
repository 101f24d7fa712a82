"""The two things there are to learn: restoring an image, and estimating its quality."""

import dataclasses
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from agarnet_jax.losses import l1
from agarnet_jax.metrics import psnr
from agarnet_jax.models import AGARNet, AGARNetConfig, EstimatorConfig, QualityEstimator
from agarnet_jax.models.estimator import CELL

Batch = dict[str, jax.Array]  # see data_pipelines.batching
Metrics = dict[str, jax.Array]

# Parameters do not depend on its size. NumPy: an import must not start JAX's backends.
_ANY_IMAGE = np.zeros((1, CELL, CELL, 1), np.float32)


class Task(Protocol):
    """What the loop needs to know about a model."""

    def init(self, rng: jax.Array) -> Any:
        """Fresh parameters."""

    def loss(self, params: Any, batch: Batch) -> tuple[jax.Array, Metrics]:
        """The loss, and scalars to log beside it."""

    def evaluate(self, params: Any, batch: Batch) -> Metrics:
        """One value per image (B,) for each metric."""

    def score(self, metrics: dict[str, float]) -> float:
        """The number by which checkpoints are compared, higher is better, from means over images
        of what `evaluate` returned."""


@dataclasses.dataclass(frozen=True)
class RestorationTask:
    """AGARNet with the true quality: L1 on the restored and, weighted, on the DCT image."""

    config: AGARNetConfig
    dct_loss_weight: float

    def init(self, rng: jax.Array) -> Any:
        return AGARNet(self.config).init(rng, _ANY_IMAGE, quality=50.0)["params"]

    def _apply(self, params: Any, batch: Batch):
        return AGARNet(self.config).apply(
            {"params": params}, batch["degraded"], quality=batch["quality"]
        )

    def loss(self, params: Any, batch: Batch) -> tuple[jax.Array, Metrics]:
        out = self._apply(params, batch)
        restored = l1(out.restored, batch["clean"])
        dct = l1(out.dct_restored, batch["clean"])
        return restored + self.dct_loss_weight * dct, {"l1": restored, "dct_l1": dct}

    def evaluate(self, params: Any, batch: Batch) -> Metrics:
        jpeg = psnr(batch["degraded"], batch["clean"])
        restored = psnr(self._apply(params, batch).restored, batch["clean"])
        return {"psnr_jpeg": jpeg, "psnr": restored, "psnr_gain": restored - jpeg}

    def score(self, metrics: dict[str, float]) -> float:
        return metrics["psnr_gain"]


@dataclasses.dataclass(frozen=True)
class EstimationTask:
    """The estimator on the pixel-wise quality label, averaged over its cells. L1, 0–1 scale."""

    config: EstimatorConfig

    def init(self, rng: jax.Array) -> Any:
        return QualityEstimator(self.config).init(rng, _ANY_IMAGE)["params"]

    def loss(self, params: Any, batch: Batch) -> tuple[jax.Array, Metrics]:
        cells = QualityEstimator(self.config).apply({"params": params}, batch["degraded"]).cells
        loss = l1(cells, _cell_quality(batch["quality"], batch["degraded"].shape)) / 100
        return loss, {"mean_absolute_error": 100 * loss}

    def evaluate(self, params: Any, batch: Batch) -> Metrics:
        estimate = QualityEstimator(self.config).apply({"params": params}, batch["degraded"])
        error = estimate.quality - batch["quality"].mean(axis=(1, 2, 3))
        return {"error": error, "absolute_error": jnp.abs(error)}

    def score(self, metrics: dict[str, float]) -> float:
        return -metrics["absolute_error"]


def _cell_quality(quality: jax.Array, image_shape: tuple[int, ...]) -> jax.Array:
    """Labels (B, 1|H, 1|W, 1) as means over cells (B, rows, cols, 1); H, W multiples of 64."""
    batch, height, width, _ = image_shape
    if height % CELL or width % CELL:
        raise ValueError(
            f"The estimator trains on crops of whole {CELL}×{CELL} cells, got {height}×{width}; "
            f"set data.crop to a multiple of {CELL}."
        )
    pixelwise = jnp.broadcast_to(quality, (batch, height, width, 1))
    blocks = pixelwise.reshape(batch, height // CELL, CELL, width // CELL, CELL, 1)
    return blocks.mean(axis=(2, 4))
