"""Joint training of both networks, as in blind restoration: the restorer uses the estimated map."""

import dataclasses
import enum
from typing import Any, NamedTuple

import jax

from agarnet_jax.configs import Config, require
from agarnet_jax.models import (
    AGARNet,
    AGARNetConfig,
    AGARNetOutput,
    EstimatorConfig,
    QualityEstimate,
    quality_map,
)
from agarnet_jax.training.tasks import Batch, EstimationTask, Metrics, RestorationTask


@dataclasses.dataclass(frozen=True)
class JointConfig(Config):
    """The two networks that are trained together."""

    restorer: AGARNetConfig = AGARNetConfig()
    estimator: EstimatorConfig = EstimatorConfig()


class MapGradient(enum.Enum):
    """Whether gradients of the restoration loss reach the estimator through its quality map.

    GATES: through the gates of the pixel branch, which are smooth in quality; the gates and tables
    of the DCT branch depend on quality rounded to integers and pass no gradient. STOPPED: the
    estimator learns from its own loss only, while the restorer adapts to its errors.
    """

    GATES = "gates"
    STOPPED = "stopped"


@dataclasses.dataclass(frozen=True)
class JointOptions(Config):
    """How the two tasks are combined. Ours."""

    estimation_loss_weight: float = 0.1  # of the estimator's L1, relative to the restorer's loss
    map_gradient: MapGradient = MapGradient.GATES

    def __post_init__(self):
        super().__post_init__()
        require(self, ">= 0", lambda value: value >= 0, "estimation_loss_weight")


class JointOutput(NamedTuple):
    """The outputs of both networks for one batch."""

    restoration: AGARNetOutput
    estimation: QualityEstimate


@dataclasses.dataclass(frozen=True)
class JointTask:
    """Restoration with the estimated quality map; the loss adds the estimator's, weighted.

    Parameters are {"restorer": …, "estimator": …}. Quantization tables are derived from the map,
    not taken from the batch, as in blind restoration. They are luma tables, so images must be luma.
    Crops must consist of whole 64×64 cells.
    """

    restoration: RestorationTask
    estimation: EstimationTask
    options: JointOptions = JointOptions()

    def init(self, rng: jax.Array) -> Any:
        restorer_rng, estimator_rng = jax.random.split(rng)
        return {
            "restorer": self.restoration.init(restorer_rng),
            "estimator": self.estimation.init(estimator_rng),
        }

    def apply(self, params: Any, batch: Batch) -> JointOutput:
        image = batch["degraded"]
        estimate = self.estimation.apply(params["estimator"], batch)
        estimated = quality_map(
            estimate.cells,
            height=image.shape[1],
            width=image.shape[2],
            placement=self.estimation.config.cells,
        )
        if self.options.map_gradient is MapGradient.STOPPED:
            estimated = jax.lax.stop_gradient(estimated)
        restored = AGARNet(self.restoration.config).apply(
            {"params": params["restorer"]}, image, quality=estimated
        )
        return JointOutput(restored, estimate)

    def loss(self, output: JointOutput, batch: Batch) -> tuple[jax.Array, Metrics]:
        restoration_loss, restoration_terms = self.restoration.loss(output.restoration, batch)
        estimation_loss, estimation_terms = self.estimation.loss(output.estimation, batch)
        total = restoration_loss + self.options.estimation_loss_weight * estimation_loss
        return total, restoration_terms | estimation_terms

    def metrics(self, output: JointOutput, batch: Batch) -> Metrics:
        return self.restoration.metrics(output.restoration, batch) | self.estimation.metrics(
            output.estimation, batch
        )

    def images(self, output: JointOutput, batch: Batch) -> dict[str, jax.Array]:
        return self.restoration.images(output.restoration, batch) | self.estimation.images(
            output.estimation, batch
        )

    def score(self, metrics: dict[str, float]) -> float:
        return self.restoration.score(metrics)
