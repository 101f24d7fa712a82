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
    """Estimated quality, 1–100; not clipped, and a network may leave the range.

    cells: (B, rows, cols, 1), one per 64×64 pixels.
    quality: (B,), the image's, the mean over its area.
    """

    cells: jax.Array
    quality: jax.Array


class QualityEstimator(nn.Module):
    """The estimator of the quality of a luma image (B, H, W, 1) in [0, 1].

    With `CellPlacement.PLACED` any H, W ≥ 1 will do: the image is continued by mirroring, which
    keeps the 8×8 grid where H and W are multiples of 8, to whole cells, and a cell that hangs
    over counts in the mean by the part it covers. RELEASED drops what is beyond the last whole
    cell.

    Raises:
      ValueError: another shape, an image of integers, or for RELEASED a side under 64.
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
        cells = self._convolve(image)
        return QualityEstimate(
            cells=cells,
            quality=mean_over_area(cells, height=height, width=width, placement=self.config.cells),
        )

    def _convolve(self, x: jax.Array) -> jax.Array:
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
    """Draws first kernels that ignore brightness and amplify detail, where compression shows.

    From a plain initialization training stays for thousands of steps at one constant answer.
    """
    kernel = nn.initializers.he_normal()(rng, shape, dtype)
    return _DETAIL_GAIN * (kernel - kernel.mean(axis=(0, 1), keepdims=True))


def cell_grid(height: int, width: int, placement: CellPlacement | str) -> tuple[int, int]:
    """Returns the rows and columns of cells for an image.

    Raises:
      ValueError: RELEASED, and a side is under 64; or no such placement.
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
    """Spreads cells (B, rows, cols, 1) bilinearly over the image: (B, height, width, 1).

    PLACED interpolates between the cells' true centres and continues constantly outside them.
    RELEASED stretches the cells over the whole image with corners aligned at zero, as the
    released graph does, so they drift where a side is not a multiple of 64.

    Raises:
      ValueError: no such placement.
    """
    placement = member(CellPlacement, placement, "placement")
    vertical = _interpolation(cells.shape[1], height, placement)
    horizontal = _interpolation(cells.shape[2], width, placement)
    # Without the last axis, since LiteRT's converter does not manage a product of four.
    plane = cells.reshape(cells.shape[:3])
    spread = jnp.einsum(
        "yr,brc,xc->byx", vertical, plane, horizontal, precision=jax.lax.Precision.HIGHEST
    )
    return spread[..., None]


def _interpolation(cells: int, size: int, placement: CellPlacement) -> jax.Array:
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
    """Averages `cells` (B, rows, columns, 1) by the area they cover: the image's quality, (B,).

    Raises:
      ValueError: no such placement.
    """
    if member(CellPlacement, placement, "placement") is CellPlacement.RELEASED:
        return cells.mean(axis=(1, 2, 3))
    rows = _covered(cells.shape[1], height)
    columns = _covered(cells.shape[2], width)
    return (cells[..., 0] * rows[None, :, None] * columns[None, None, :]).sum(axis=(1, 2))


def _covered(cells: int, size: int) -> jax.Array:
    """Returns the share of a side that each of its cells covers, (cells,)."""
    start = CELL * jnp.arange(cells, dtype=jnp.float32)
    return jnp.clip(size - start, 1, CELL) / size
