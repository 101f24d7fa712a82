"""The DCT branch F_dct: gated 3D residual blocks over (frequency, h, w) (`AGARNET.md` §4)."""

import flax.linen as nn
import jax

from agarnet_jax.models.config import AGARNetConfig
from agarnet_jax.models.conv3d import Conv3D
from agarnet_jax.models.untraced_init import Dense


class ResBlock3D(nn.Module):
    """3DG-ResBlock: x + t · o, with t = conv(ReLU(conv(x))) and o gated by quality and table.

    a = affine(σ(g_q · x)), b = affine(σ(g_t · x)), o = affine(σ(a · b)), where affine is a 1×1×1
    convolution. As in the released graph, and unlike the paper's figure, the gates multiply x
    before σ, and no activation follows an affine map. Without gates: x + t.
    """

    config: AGARNetConfig

    @nn.compact
    def __call__(
        self, x: jax.Array, quality_gate: jax.Array | None, table_gate: jax.Array | None
    ) -> jax.Array:
        c = self.config
        features, dtype = c.dct_features, c.compute_dtype.dtype
        t = nn.relu(Conv3D(features, c.conv3d, dtype, name="conv1")(x))
        t = Conv3D(features, c.conv3d, dtype, name="conv2")(t)
        if quality_gate is None or table_gate is None:
            return x + t
        a = Dense(features, dtype=dtype, name="quality")(nn.sigmoid(quality_gate * x))
        b = Dense(features, dtype=dtype, name="table")(nn.sigmoid(table_gate * x))
        return x + t * Dense(features, dtype=dtype, name="joint")(nn.sigmoid(a * b))


class DctBranch(nn.Module):
    """Maps DCT coefficients (B, 64, h, w, 1) to restored ones of the same shape.

    The branch predicts the coefficients themselves, not a residual to the input.

    Args:
      coefficients: block DCT of the degraded image.
      quality_gate: (B, 1, 1|h, 1|w, C) from `DctQualityGate`, or None without gates.
      table_gate: (B, 64, 1|h, 1|w, 1) from `DctTableGate`, or None without gates.
    """

    config: AGARNetConfig

    @nn.compact
    def __call__(
        self,
        coefficients: jax.Array,
        quality_gate: jax.Array | None,
        table_gate: jax.Array | None,
    ) -> jax.Array:
        c = self.config
        features, dtype = c.dct_features, c.compute_dtype.dtype
        block = nn.remat(ResBlock3D) if c.remat else ResBlock3D

        shallow = Conv3D(features, c.conv3d, dtype, name="head")(coefficients)
        x = Conv3D(features, c.conv3d, dtype, name="entry")(shallow)
        for i in range(c.dct_blocks):
            x = block(c, name=f"block{i}")(x, quality_gate, table_gate)
        x = Dense(features, dtype=dtype, name="exit1x1")(x)
        x = Conv3D(features, c.conv3d, dtype, name="exit")(x) + shallow
        return Conv3D(1, c.conv3d, dtype, name="tail")(x)
