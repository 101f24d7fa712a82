"""Configurations of the networks. The default sizes are the paper's."""

import dataclasses
import enum

import jax.numpy as jnp

from agarnet_jax.configs import Config, require
from agarnet_jax.jpeg_tables import TableScaling
from agarnet_jax.models.formulations import Conv2DFormulation, Conv3DFormulation


class ComputeDtype(enum.Enum):
    """The data type of convolutions; parameters, DCT and outputs stay float32.

    The precision of float32 products depends on the platform: TPUs round factors to bfloat16 and
    recent NVIDIA GPUs to TensorFloat-32, unless `JAX_DEFAULT_MATMUL_PRECISION=highest` is set.
    """

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"

    @property
    def dtype(self) -> jnp.dtype:
        return jnp.dtype(self.value)


class CellPlacement(enum.Enum):
    """How the estimator's 64×64 cells are mapped to the image (`AGARNET.md` §2).

    PLACED: the image is padded to whole cells, and every cell keeps its position.
    RELEASED: as in the released graph, only whole cells, stretched over the image.
    """

    PLACED = "placed"
    RELEASED = "released"


@dataclasses.dataclass(frozen=True)
class AGARNetConfig(Config):
    """Sizes and conventions of the restorer (`AGARNET.md` §3–5).

    `gates=False` gives the paper's Baselines: gated blocks become plain residual blocks, and
    quality is ignored. Enum fields also accept their value as a string. Adding a field, even at
    its default, changes the `weights_sha256` of exported files (`docs/export.md`).
    """

    pixel_features: int = 32  # f; the levels of the U-Net have f, 2f and 4f features
    dct_features: int = 32
    dct_blocks: int = 8
    encoder1_blocks: int = 5
    encoder2_blocks: int = 5
    encoder4_blocks: int = 20
    decoder2_blocks: int = 5
    decoder2_gated_blocks: int = 5
    decoder1_blocks: int = 5
    decoder1_gated_blocks: int = 5
    gate_features: int = 64  # hidden width of the gates generated from quality
    gates: bool = True
    correction_gate: bool = False  # ours: scale the correction by a function of quality
    table_scaling: TableScaling = TableScaling.FLOAT
    conv2d: Conv2DFormulation = Conv2DFormulation.AUTO
    conv3d: Conv3DFormulation = Conv3DFormulation.AUTO
    compute_dtype: ComputeDtype = ComputeDtype.FLOAT32
    remat: bool = False  # recompute residual blocks in the backward pass to save memory

    def __post_init__(self):
        super().__post_init__()
        blocks = (name for name in vars(self) if name.endswith("_blocks"))
        require(self, "at least 0", lambda count: count >= 0, *blocks)
        widths = (name for name in vars(self) if name.endswith("_features"))
        require(self, "at least 1", lambda width: width >= 1, *widths)
        if self.correction_gate and not self.gates:
            raise ValueError(
                "AGARNetConfig.correction_gate is set without gates, which ignores quality; "
                "set gates too."
            )


@dataclasses.dataclass(frozen=True)
class EstimatorConfig(Config):
    """Sizes and conventions of the quality estimator (`AGARNET.md` §2)."""

    features: tuple[int, int, int, int] = (32, 64, 96, 192)
    cells: CellPlacement = CellPlacement.PLACED
    conv2d: Conv2DFormulation = Conv2DFormulation.AUTO
    compute_dtype: ComputeDtype = ComputeDtype.FLOAT32

    def __post_init__(self):
        super().__post_init__()
        require(self, "four positive widths", lambda widths: min(widths) >= 1, "features")
