"""The quality estimator Q_EST: one JPEG quality per 64×64 cell (`AGARNET.md` §2)."""

from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from agarnet_jax.configs import member
from agarnet_jax.image_arrays import as_images
from agarnet_jax.jpeg_tables import MAX_QUALITY
from agarnet_jax.models.config import CellPlacement, EstimatorConfig
from agarnet_jax.models.conv2d import Conv2D

CELL = 64
_DETAIL_GAIN = 8.0


@flax.struct.dataclass
class QualityEstimate:
    """Estimated quality on the scale 1–100, not clipped to it.

    cells: (B, rows, cols, 1), one per 64×64 pixels.
    quality: (B,), one per image: the mean of the cells, weighted by area.
    """

    cells: jax.Array
    quality: jax.Array


class QualityEstimator(nn.Module):
    """Estimates the JPEG quality of luma images (B, H, W, 1) in [0, 1].

    `CellPlacement.PLACED` takes any H, W ≥ 1: the image is padded to whole cells by mirroring,
    which preserves the 8×8 grid if H and W are multiples of 8, and each cell is weighted in the
    mean by the image area it covers. RELEASED drops everything beyond the last whole cell.

    Raises:
      ValueError: another shape, an integer image, or with RELEASED a side under 64.
    """

    config: EstimatorConfig

    @nn.compact
    def __call__(self, image: ArrayLike) -> QualityEstimate:
        image = as_images(image, "image", channels=1)
        _, height, width, _ = image.shape
        rows, cols = cell_grid(height, width, self.config.cells)
        if self.config.cells is CellPlacement.PLACED:
            padding = ((0, 0), (0, rows * CELL - height), (0, cols * CELL - width), (0, 0))
            image = jnp.pad(image, padding, mode="symmetric")
        cells = self._estimate_cells(image)
        return QualityEstimate(
            cells=cells,
            quality=mean_over_area(cells, height=height, width=width, placement=self.config.cells),
        )

    def _estimate_cells(self, x: jax.Array) -> jax.Array:
        dtype = self.config.compute_dtype.dtype
        pools = (nn.max_pool, 4), (nn.max_pool, 2), (nn.max_pool, 4), (nn.avg_pool, 2)
        for stage, (features, (pool, factor)) in enumerate(zip(self.config.features, pools)):
            for conv in (1, 2):
                name = f"stage{stage}_conv{conv}"
                init = _high_pass_init if x.shape[-1] == 1 else nn.initializers.he_normal()
                x = nn.relu(Conv2D(features, self.config.conv2d, dtype, init, name=name)(x))
            x = pool(x, (factor, factor), strides=(factor, factor))
        head = nn.Conv(1, (1, 1), dtype=dtype, name="out", bias_init=nn.initializers.constant(0.5))
        return MAX_QUALITY * nn.relu(head(x)).astype(jnp.float32)


def _high_pass_init(rng: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """Initializes first-layer kernels that ignore brightness and amplify detail.

    Compression artifacts are in the detail: with a plain initialization, the estimator predicts a
    constant for thousands of training steps.
    """
    kernel = nn.initializers.he_normal()(rng, shape, dtype)
    return _DETAIL_GAIN * (kernel - kernel.mean(axis=(0, 1), keepdims=True))


def cell_grid(height: int, width: int, placement: CellPlacement | str) -> tuple[int, int]:
    """Returns the number of rows and of columns of cells for an image.

    Raises:
      ValueError: unknown placement, or with RELEASED a side under 64.
    """
    if member(CellPlacement, placement, "placement") is CellPlacement.PLACED:
        return -(-height // CELL), -(-width // CELL)
    if height < CELL or width < CELL:
        raise ValueError(
            f"An image of {height}×{width} has no whole {CELL}×{CELL} cell for "
            "CellPlacement.RELEASED; use CellPlacement.PLACED or a larger image."
        )
    return height // CELL, width // CELL


def quality_map(
    cells: jax.Array, *, height: int, width: int, placement: CellPlacement | str
) -> jax.Array:
    """Interpolates cells (B, rows, cols, 1) bilinearly to (B, height, width, 1).

    PLACED interpolates between the centres of the cells and is constant beyond the outermost ones.
    RELEASED stretches the cells over the image as the released graph does (TensorFlow 1's legacy
    resize), which shifts them if a side is not a multiple of 64.

    Raises:
      ValueError: unknown placement.
    """
    placement = member(CellPlacement, placement, "placement")
    vertical = _interpolation_weights(cells.shape[1], height, placement)
    horizontal = _interpolation_weights(cells.shape[2], width, placement)
    # Without the channel axis, since LiteRT's converter does not support this product in rank 4.
    plane = cells.reshape(cells.shape[:3])
    interpolated = jnp.einsum(
        "yr,brc,xc->byx", vertical, plane, horizontal, precision=jax.lax.Precision.HIGHEST
    )
    return interpolated[..., None]


def _interpolation_weights(cells: int, size: int, placement: CellPlacement) -> jax.Array:
    """Returns weights (size, cells) that interpolate linearly from cells to pixels on one axis."""
    pixel = jnp.arange(size, dtype=jnp.float32)
    if placement is CellPlacement.PLACED:
        position = (pixel + 0.5) / CELL - 0.5
    else:
        position = pixel * (cells / size)
    position = jnp.clip(position, 0, cells - 1)
    distance = jnp.abs(position[:, None] - jnp.arange(cells, dtype=jnp.float32)[None, :])
    return jnp.maximum(0, 1 - distance)


def mean_over_area(
    cells: jax.Array, *, height: int, width: int, placement: CellPlacement | str
) -> jax.Array:
    """Averages cells (B, rows, cols, 1), weighted by the image area they cover, to (B,).

    RELEASED weights all cells equally.

    Raises:
      ValueError: unknown placement.
    """
    if member(CellPlacement, placement, "placement") is CellPlacement.RELEASED:
        return cells.mean(axis=(1, 2, 3))
    rows = _covered_fractions(cells.shape[1], height)
    cols = _covered_fractions(cells.shape[2], width)
    return (cells[..., 0] * rows[None, :, None] * cols[None, None, :]).sum(axis=(1, 2))


def _covered_fractions(cells: int, size: int) -> jax.Array:
    """Returns the fraction of an image side that each cell covers, (cells,)."""
    start = CELL * jnp.arange(cells, dtype=jnp.float32)
    return jnp.clip(size - start, 1, CELL) / size
