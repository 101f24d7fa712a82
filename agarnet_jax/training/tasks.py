"""The two things there are to learn: restoring an image, and estimating its quality.

Their losses and what they are trained to are ours; `joint` trains both together.
"""

import dataclasses
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from agarnet_jax.jpeg_tables import MAX_QUALITY
from agarnet_jax.losses import LossConfig, frequency_l1, image_loss, l1
from agarnet_jax.metrics import psnr
from agarnet_jax.models import (
    AGARNet,
    AGARNetConfig,
    AGARNetOutput,
    EstimatorConfig,
    QualityEstimate,
    QualityEstimator,
)
from agarnet_jax.models.estimator import CELL

Batch = dict[str, jax.Array]  # see data_pipelines.batching
Metrics = dict[str, jax.Array]

# PSNR is infinite for what JPEG leaves as it was, such as flat images; means need a number. One
# level off in one of 512×512 pixels is 102 dB.
_HIGHEST_PSNR = 110.0

# Parameters do not depend on its size. NumPy: an import must not start JAX's backends.
_ANY_IMAGE = np.zeros((1, CELL, CELL, 1), np.float32)


class Task(Protocol):
    """What the loop needs to know about a model."""

    def init(self, rng: jax.Array) -> Any:
        """Returns fresh parameters, nested dicts."""

    def apply(self, params: Any, batch: Batch) -> Any:
        """Returns the model's output for a batch, which the methods below take with that batch."""

    def loss(self, output: Any, batch: Batch) -> tuple[jax.Array, Metrics]:
        """Returns the loss, (), and scalars to log beside it."""

    def metrics(self, output: Any, batch: Batch) -> Metrics:
        """Returns one value per image, (B,), for each metric."""

    def pictures(self, output: Any, batch: Batch) -> Metrics:
        """Returns what to look at, the first an image.

        That is images (B, H, W, 1) in [0, 1], and maps of quality / 100 with a value for each
        pixel, each cell or the whole image.
        """

    def score(self, metrics: dict[str, float]) -> float:
        """Returns the number by which checkpoints are compared; higher is better.

        `metrics` are means over images of what the method of this name returned.
        """


@dataclasses.dataclass(frozen=True)
class RestorationTask:
    """AGARNet with true quality and table: a loss of its result and, weighted, of the DCT image."""

    config: AGARNetConfig
    dct_loss_weight: float
    loss_config: LossConfig = LossConfig()

    def init(self, rng: jax.Array) -> Any:
        return AGARNet(self.config).init(rng, _ANY_IMAGE, quality=50.0)["params"]

    def apply(self, params: Any, batch: Batch) -> AGARNetOutput:
        return AGARNet(self.config).apply(
            {"params": params}, batch["degraded"], quality=batch["quality"], tables=batch["tables"]
        )

    def loss(self, output: AGARNetOutput, batch: Batch) -> tuple[jax.Array, Metrics]:
        """Returns the loss of the restored images, and its terms, named after the kind of loss."""
        clean, kind = batch["clean"], self.loss_config.kind.value
        restored = image_loss(output.restored, clean, self.loss_config)
        dct = image_loss(output.dct_restored, clean, self.loss_config)
        total, terms = restored + self.dct_loss_weight * dct, {kind: restored, f"dct_{kind}": dct}
        if self.loss_config.frequency_weight:
            terms["frequency_l1"] = frequency_l1(output.restored, clean)
            total += self.loss_config.frequency_weight * terms["frequency_l1"]
        return total, terms

    def metrics(self, output: AGARNetOutput, batch: Batch) -> Metrics:
        """Returns PSNR of the JPEG and of the restored images, in dB up to 110, and its gain."""
        jpeg, restored = (
            jnp.minimum(psnr(image, batch["clean"]), _HIGHEST_PSNR)
            for image in (batch["degraded"], output.restored)
        )
        return {"psnr_jpeg": jpeg, "psnr": restored, "psnr_gain": restored - jpeg}

    def pictures(self, output: AGARNetOutput, batch: Batch) -> Metrics:
        return {
            "degraded": batch["degraded"],
            "restored": output.restored,
            "clean": batch["clean"],
            "quality": batch["quality"] / MAX_QUALITY,
        }

    def score(self, metrics: dict[str, float]) -> float:
        return metrics["psnr_gain"]


@dataclasses.dataclass(frozen=True)
class EstimationTask:
    """The estimator on the pixel-wise quality label, averaged over its cells. L1, 0–1 scale."""

    config: EstimatorConfig

    def init(self, rng: jax.Array) -> Any:
        return QualityEstimator(self.config).init(rng, _ANY_IMAGE)["params"]

    def apply(self, params: Any, batch: Batch) -> QualityEstimate:
        return QualityEstimator(self.config).apply({"params": params}, batch["degraded"])

    def loss(self, output: QualityEstimate, batch: Batch) -> tuple[jax.Array, Metrics]:
        """Returns the loss of the estimates, and their mean absolute error, 0–100."""
        labels = _cell_quality(batch["quality"], batch["degraded"].shape)
        loss = l1(output.cells, labels) / MAX_QUALITY
        return loss, {"mean_absolute_error": MAX_QUALITY * loss}

    def metrics(self, output: QualityEstimate, batch: Batch) -> Metrics:
        """Returns the error of each image's estimated quality, 1–100, and its size."""
        error = output.quality - batch["quality"].mean(axis=(1, 2, 3))
        return {"error": error, "absolute_error": jnp.abs(error)}

    def pictures(self, output: QualityEstimate, batch: Batch) -> Metrics:
        return {
            "degraded": batch["degraded"],
            "clean": batch["clean"],
            "estimated": output.cells / MAX_QUALITY,
            "quality": batch["quality"] / MAX_QUALITY,
        }

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
