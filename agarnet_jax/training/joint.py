"""Both networks at once, as blind restoration uses them: the restorer sees the estimated map."""

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
    """Whether the restoration loss reaches the estimator through the map that it made.

    GATES: through the pixel branch's gates, which are smooth in quality; the DCT branch's gates and
    tables follow quality rounded to integers and pass nothing. STOPPED: the estimator learns from
    its own loss only, while the restorer gets used to its errors.
    """

    GATES = "gates"
    STOPPED = "stopped"


@dataclasses.dataclass(frozen=True)
class JointOptions(Config):
    """How the two tasks share the training. Ours."""

    estimation_loss_weight: float = 0.1  # of the estimator's L1 beside the restorer's loss
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
    """The restorer's loss on what it makes of the estimated map, and the estimator's, weighted.

    Parameters are {"restorer": …, "estimator": …}. Tables are derived from the map, not those of
    the batch: blind restoration knows no other. They are those of luma, so images have to be.
    Crops are of whole 64×64 cells.
    """

    restoration: RestorationTask
    estimation: EstimationTask
    options: JointOptions = JointOptions()

    def init(self, rng: jax.Array) -> Any:
        for_restorer, for_estimator = jax.random.split(rng)
        return {
            "restorer": self.restoration.init(for_restorer),
            "estimator": self.estimation.init(for_estimator),
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
        restoration, restored = self.restoration.loss(output.restoration, batch)
        estimation, estimated = self.estimation.loss(output.estimation, batch)
        return restoration + self.options.estimation_loss_weight * estimation, restored | estimated

    def metrics(self, output: JointOutput, batch: Batch) -> Metrics:
        restored = self.restoration.metrics(output.restoration, batch)
        return restored | self.estimation.metrics(output.estimation, batch)

    def pictures(self, output: JointOutput, batch: Batch) -> Metrics:
        restored = self.restoration.pictures(output.restoration, batch)
        return restored | self.estimation.pictures(output.estimation, batch)

    def score(self, metrics: dict[str, float]) -> float:
        return self.restoration.score(metrics)
