"""The networks: AGARNet (the restorer) and QualityEstimator, with their configurations."""

from agarnet_jax.models.agarnet import AGARNet, AGARNetOutput
from agarnet_jax.models.config import (
    AGARNetConfig,
    CellPlacement,
    ComputeDtype,
    EstimatorConfig,
)
from agarnet_jax.models.estimator import (
    CELL,
    QualityEstimate,
    QualityEstimator,
    mean_over_area,
    quality_map,
)
from agarnet_jax.models.formulations import Conv2DFormulation, Conv3DFormulation

__all__ = [
    "CELL",
    "AGARNet",
    "AGARNetConfig",
    "AGARNetOutput",
    "CellPlacement",
    "ComputeDtype",
    "Conv2DFormulation",
    "Conv3DFormulation",
    "EstimatorConfig",
    "QualityEstimate",
    "QualityEstimator",
    "mean_over_area",
    "quality_map",
]
