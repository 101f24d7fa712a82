"""AGARNet in PyTorch, channels_last, with our parameters: a reference for speed only.

Follows `AGARNET.md` §3–5 operation by operation, as `agarnet_jax.models` does.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from agarnet_jax.dct import BASIS
from agarnet_jax.models import AGARNetConfig

Params = dict[str, Any]


def to_torch(tree: Mapping[str, Any]) -> Params:
    """Converts a Flax parameter tree to PyTorch's kernel layouts and channels_last memory."""
    return {
        name: to_torch(value) if isinstance(value, Mapping) else _tensor(np.asarray(value))
        for name, value in tree.items()
    }


def leaves(params: Params) -> list[torch.Tensor]:
    return [
        leaf
        for value in params.values()
        for leaf in (leaves(value) if isinstance(value, dict) else [value])
    ]


def _tensor(value: np.ndarray) -> torch.Tensor:
    tensor = torch.from_numpy(value.copy())
    if value.ndim == 4:  # HWIO → OIHW
        tensor = tensor.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
    elif value.ndim == 5:  # DHWIO → OIDHW
        tensor = tensor.permute(4, 3, 0, 1, 2).contiguous(memory_format=torch.channels_last_3d)
    elif value.ndim == 2:
        tensor = tensor.T.contiguous()
    return tensor.requires_grad_()


class TorchAGARNet:
    """Maps images (B, 1, H, W) and qualities (B, 1) to (restored, dct_restored), (B, 1, H, W).

    Qualities are 1–100, one per image; `tables` is (B, 64), as returned by
    `jpeg_tables.network_table`.
    """

    def __init__(self, config: AGARNetConfig, params: Mapping[str, Any]):
        self.config = config
        self.params = to_torch(params)
        self._basis = torch.from_numpy(BASIS.reshape(64, 64))

    def __call__(
        self, image: torch.Tensor, quality: torch.Tensor, tables: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        p = self.params
        stem = _dense(p["pixel_gates"]["stem"], quality / 100)
        openings = {
            level: torch.sigmoid(_dense(p["pixel_gates"][f"head{level}"], stem))[..., None, None]
            for level in (1, 2, 4)
        }
        gate = p["dct_quality_gate"]
        quality_gate = _dense(gate["head"], _dense(gate["stem"], quality / 100))
        gate = p["dct_table_gate"]
        table_gate = _dense(gate["head"], F.relu(_dense(gate["stem"], tables)))

        batch, _, height, width = image.shape
        blocks = image.reshape(batch, height // 8, 8, width // 8, 8).transpose(2, 3)
        coefficients = blocks.reshape(batch, height // 8, width // 8, 64) @ self._basis.T
        coefficients = self._dct_branch(
            coefficients.movedim(-1, 1)[:, None],
            quality_gate[:, :, None, None, None],
            table_gate[:, None, :, None, None],
        )
        blocks = coefficients[:, 0].movedim(1, -1) @ self._basis
        blocks = blocks.reshape(batch, height // 8, width // 8, 8, 8).transpose(2, 3)
        dct_restored = blocks.reshape(image.shape)
        correction = self._pixel_branch(image, openings)
        return correction + p["blend"][0] * dct_restored + p["blend"][1] * image, dct_restored

    def _dct_branch(self, x, quality_gate, table_gate):
        p = self.params["dct_branch"]
        x = x.contiguous(memory_format=torch.channels_last_3d)
        shallow = _conv3d(p["head"], x)
        x = _conv3d(p["entry"], shallow)
        for i in range(self.config.dct_blocks):
            block = p[f"block{i}"]
            t = _conv3d(block["conv2"], F.relu(_conv3d(block["conv1"], x)))
            a = _pointwise3d(block["quality"], torch.sigmoid(quality_gate * x))
            b = _pointwise3d(block["table"], torch.sigmoid(table_gate * x))
            x = x + t * _pointwise3d(block["joint"], torch.sigmoid(a * b))
        x = _conv3d(p["exit"], _pointwise3d(p["exit1x1"], x)) + shallow
        return _conv3d(p["tail"], x)

    def _pixel_branch(self, image, openings):
        c, p = self.config, self.params["pixel_branch"]

        def blocks(x, count, name):
            for i in range(count):
                x = x + 0.1 * _pair(p[f"{name}_block{i}"], x)
            return x

        def gated(x, count, opening, name):
            for i in range(count):
                x = x + 0.1 * torch.tanh(_pair(p[f"{name}_block{i}"], x) * opening)
            return x

        image = image.contiguous(memory_format=torch.channels_last)
        e = _conv(p["encoder1_in"], image)
        skip1 = blocks(e, c.encoder1_blocks, "encoder1") + e
        e = _conv(p["encoder2_in"], F.avg_pool2d(F.relu(skip1), 2))
        skip2 = blocks(e, c.encoder2_blocks, "encoder2") + e
        e = _conv(p["encoder4_in"], F.avg_pool2d(F.relu(skip2), 2))
        x = gated(e, c.encoder4_blocks, openings[4], "encoder4")
        x = F.relu(_conv(p["encoder4_out"], x)) + e
        x = blocks(_conv(p["decoder2_in"], _upsample_2x(x)), c.decoder2_blocks, "decoder2")
        x = _conv(p["decoder2_merge"], torch.cat([x, skip2], 1))
        x = gated(x, c.decoder2_gated_blocks, openings[2], "decoder2_gated")
        x = blocks(_conv(p["decoder1_in"], _upsample_2x(x)), c.decoder1_blocks, "decoder1")
        x = _conv(p["decoder1_merge"], torch.cat([x, skip1], 1))
        x = gated(x, c.decoder1_gated_blocks, openings[1], "decoder1_gated")
        return _conv(p["out"], x)


def _dense(p: Params, x: torch.Tensor) -> torch.Tensor:
    return F.linear(x, p["kernel"], p["bias"])


def _conv(p: Params, x: torch.Tensor) -> torch.Tensor:
    return F.conv2d(x, p["kernel"], p["bias"], padding=p["kernel"].shape[-1] // 2)


def _conv3d(p: Params, x: torch.Tensor) -> torch.Tensor:
    return F.conv3d(x, p["kernel"], p["bias"], padding=1)


def _pointwise3d(p: Params, x: torch.Tensor) -> torch.Tensor:
    return F.conv3d(x, p["kernel"][..., None, None, None], p["bias"])


def _pair(p: Params, x: torch.Tensor) -> torch.Tensor:
    return _conv(p["conv2"], F.relu(_conv(p["conv1"], x)))


def _upsample_2x(x: torch.Tensor) -> torch.Tensor:
    """Legacy bilinear resize with corners aligned at zero, as `models.blocks.upsample_2x`."""
    for axis in (2, 3):
        n = x.shape[axis]
        following = torch.cat([x.narrow(axis, 1, n - 1), x.narrow(axis, n - 1, 1)], axis)
        x = torch.stack([x, (x + following) / 2], axis + 1).flatten(axis, axis + 1)
    return x.contiguous(memory_format=torch.channels_last)
