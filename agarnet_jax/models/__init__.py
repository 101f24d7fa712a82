"""The networks: AGARNet (restorer) and QualityEstimator, with their configurations."""

from agarnet_jax.models.agarnet import AGARNet, AGARNetOutput
from agarnet_jax.models.config import (
    AGARNetConfig,
    CellPlacement,
    ComputeDtype,
    EstimatorConfig,
)
from agarnet_jax.models.conv3d import Conv3DFormulation
from agarnet_jax.models.estimator import QualityEstimate, QualityEstimator, quality_map

__all__ = [
    "AGARNet",
    "AGARNetConfig",
    "AGARNetOutput",
    "CellPlacement",
    "ComputeDtype",
    "Conv3DFormulation",
    "EstimatorConfig",
    "QualityEstimate",
    "QualityEstimator",
    "quality_map",
]
