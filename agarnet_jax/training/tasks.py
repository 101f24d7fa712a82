"""The training tasks: restoring an image, and estimating its quality.

Losses and labels are ours; `joint` trains both networks together.
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

# PSNR is infinite for images that JPEG does not change, such as flat ones; the cap keeps means
# finite. A difference of one level in one of 512×512 pixels is 102 dB.
_MAX_PSNR = 110.0

# Parameters do not depend on the size. NumPy, as importing must not initialize JAX's backends.
_EXAMPLE_IMAGE = np.zeros((1, CELL, CELL, 1), np.float32)


class Task(Protocol):
    """A model and its loss, as the training loop uses them."""

    def init(self, rng: jax.Array) -> Any:
        """Returns randomly initialized parameters, nested dicts."""

    def apply(self, params: Any, batch: Batch) -> Any:
        """Returns the model's output for a batch; the methods below take both."""

    def loss(self, output: Any, batch: Batch) -> tuple[jax.Array, Metrics]:
        """Returns the loss, (), and further scalars to log."""

    def metrics(self, output: Any, batch: Batch) -> Metrics:
        """Returns metrics with one value per image, (B,)."""

    def images(self, output: Any, batch: Batch) -> dict[str, jax.Array]:
        """Returns images to show in TensorBoard, (B, H, W, 1) in [0, 1].

        The first has full resolution. Maps of quality / 100 may have one value per pixel, per cell
        or per image.
        """

    def score(self, metrics: dict[str, float]) -> float:
        """Returns the score that ranks checkpoints; higher is better.

        `metrics` are the means over images of what the method `metrics` returns.
        """


@dataclasses.dataclass(frozen=True)
class RestorationTask:
    """Restoration by AGARNet, given the true quality and table (non-blind).

    The loss is that of the result plus, weighted, that of the DCT branch's output.
    """

    config: AGARNetConfig
    dct_loss_weight: float
    loss_config: LossConfig = LossConfig()

    def init(self, rng: jax.Array) -> Any:
        return AGARNet(self.config).init(rng, _EXAMPLE_IMAGE, quality=50.0)["params"]

    def apply(self, params: Any, batch: Batch) -> AGARNetOutput:
        return AGARNet(self.config).apply(
            {"params": params}, batch["degraded"], quality=batch["quality"], tables=batch["tables"]
        )

    def loss(self, output: AGARNetOutput, batch: Batch) -> tuple[jax.Array, Metrics]:
        """Returns the loss and its terms, which are named after the kind of loss."""
        clean, kind = batch["clean"], self.loss_config.kind.value
        restored = image_loss(output.restored, clean, self.loss_config)
        dct = image_loss(output.dct_restored, clean, self.loss_config)
        total, terms = restored + self.dct_loss_weight * dct, {kind: restored, f"dct_{kind}": dct}
        if self.loss_config.frequency_weight:
            terms["frequency_l1"] = frequency_l1(output.restored, clean)
            total += self.loss_config.frequency_weight * terms["frequency_l1"]
        return total, terms

    def metrics(self, output: AGARNetOutput, batch: Batch) -> Metrics:
        """Returns PSNR before and after restoration, in dB up to 110, and the gain."""
        jpeg, restored = (
            jnp.minimum(psnr(image, batch["clean"]), _MAX_PSNR)
            for image in (batch["degraded"], output.restored)
        )
        return {"psnr_jpeg": jpeg, "psnr": restored, "psnr_gain": restored - jpeg}

    def images(self, output: AGARNetOutput, batch: Batch) -> dict[str, jax.Array]:
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
    """Quality estimation: L1 loss, on a 0–1 scale, to the pixel-wise label averaged over cells."""

    config: EstimatorConfig

    def init(self, rng: jax.Array) -> Any:
        return QualityEstimator(self.config).init(rng, _EXAMPLE_IMAGE)["params"]

    def apply(self, params: Any, batch: Batch) -> QualityEstimate:
        return QualityEstimator(self.config).apply({"params": params}, batch["degraded"])

    def loss(self, output: QualityEstimate, batch: Batch) -> tuple[jax.Array, Metrics]:
        """Returns the loss, and the mean absolute error of qualities, 0–100."""
        labels = _cell_quality(batch["quality"], batch["degraded"].shape)
        loss = l1(output.cells, labels) / MAX_QUALITY
        return loss, {"mean_absolute_error": MAX_QUALITY * loss}

    def metrics(self, output: QualityEstimate, batch: Batch) -> Metrics:
        """Returns the signed and the absolute error of each image's estimated quality, 1–100."""
        error = output.quality - batch["quality"].mean(axis=(1, 2, 3))
        return {"error": error, "absolute_error": jnp.abs(error)}

    def images(self, output: QualityEstimate, batch: Batch) -> dict[str, jax.Array]:
        return {
            "degraded": batch["degraded"],
            "clean": batch["clean"],
            "estimated": output.cells / MAX_QUALITY,
            "quality": batch["quality"] / MAX_QUALITY,
        }

    def score(self, metrics: dict[str, float]) -> float:
        return -metrics["absolute_error"]


def _cell_quality(quality: jax.Array, image_shape: tuple[int, ...]) -> jax.Array:
    """Averages labels (B, 1|H, 1|W, 1) over cells: (B, rows, cols, 1); H, W multiples of 64."""
    batch, height, width, _ = image_shape
    if height % CELL or width % CELL:
        raise ValueError(
            f"The estimator trains on crops of whole {CELL}×{CELL} cells, not {height}×{width}; "
            f"set data.crop to a multiple of {CELL}."
        )
    pixelwise = jnp.broadcast_to(quality, (batch, height, width, 1))
    blocks = pixelwise.reshape(batch, height // CELL, CELL, width // CELL, CELL, 1)
    return blocks.mean(axis=(2, 4))
