"""The pixel branch F_pix: a U-Net, gated in its bottleneck and decoders (`AGARNET.md` §5)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from agarnet_jax.models.blocks import ResBlock, average_pool, upsample_2x
from agarnet_jax.models.config import AGARNetConfig
from agarnet_jax.models.conv2d import Conv2D
from agarnet_jax.models.gates import PixelGateValues


class PixelBranch(nn.Module):
    """Maps images (B, H, W, 1), H and W multiples of 4, to float32 corrections of the same shape.

    `gates` comes from `PixelGates`. Without it, gated blocks become plain residual blocks.
    """

    config: AGARNetConfig

    @nn.compact
    def __call__(self, image: jax.Array, gates: PixelGateValues | None) -> jax.Array:
        c, f, dtype = self.config, self.config.pixel_features, self.config.compute_dtype.dtype
        block = nn.remat(ResBlock) if c.remat else ResBlock

        def conv(x: jax.Array, features: int, name: str) -> jax.Array:
            return Conv2D(features, c.conv2d, dtype, name=name)(x)

        def blocks(x: jax.Array, count: int, name: str, gate: jax.Array | None = None) -> jax.Array:
            for i in range(count):
                x = block(c, name=f"{name}_block{i}")(x, gate)
            return x

        gate1, gate2, gate4 = (gates.level1, gates.level2, gates.level4) if gates else (None,) * 3

        e = conv(image, f, "encoder1_in")
        skip1 = blocks(e, c.encoder1_blocks, "encoder1") + e
        x = average_pool(nn.relu(skip1), 2)

        e = conv(x, 2 * f, "encoder2_in")
        skip2 = blocks(e, c.encoder2_blocks, "encoder2") + e
        x = average_pool(nn.relu(skip2), 2)

        e = conv(x, 4 * f, "encoder4_in")
        x = blocks(e, c.encoder4_blocks, "encoder4", gate4)
        x = nn.relu(nn.Conv(4 * f, (1, 1), dtype=dtype, name="encoder4_out")(x)) + e

        x = conv(upsample_2x(x), 4 * f, "decoder2_in")
        x = blocks(x, c.decoder2_blocks, "decoder2")
        x = conv(jnp.concatenate([x, skip2], axis=-1), 2 * f, "decoder2_merge")
        x = blocks(x, c.decoder2_gated_blocks, "decoder2_gated", gate2)

        x = conv(upsample_2x(x), 2 * f, "decoder1_in")
        x = blocks(x, c.decoder1_blocks, "decoder1")
        x = conv(jnp.concatenate([x, skip1], axis=-1), f, "decoder1_merge")
        x = blocks(x, c.decoder1_gated_blocks, "decoder1_gated", gate1)
        # Initialized to zero, so that an untrained network returns its input.
        out = Conv2D(1, c.conv2d, dtype, nn.initializers.zeros_init(), name="out")(x)
        return out.astype(jnp.float32)
