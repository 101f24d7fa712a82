import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax.models import CellPlacement, EstimatorConfig, QualityEstimator, quality_map
from agarnet_jax.models.estimator import cell_grid

CONFIG = EstimatorConfig(features=(4, 4, 6, 6))


@pytest.fixture(scope="module")
def params():
    return QualityEstimator(CONFIG).init(jax.random.key(0), jnp.zeros((1, 64, 64, 1)))["params"]


def estimate(params, image, placement=CellPlacement.PLACED):
    config = EstimatorConfig(features=CONFIG.features, cells=placement)
    return jax.jit(QualityEstimator(config).apply)({"params": params}, image)


@pytest.mark.parametrize(
    ("size", "grid"), [((1, 1), (1, 1)), ((64, 65), (1, 2)), ((200, 128), (4, 2))]
)
def test_placed_cells_cover_every_image(params, size, grid):
    image = jax.random.uniform(jax.random.key(1), (2, *size, 1))
    result = estimate(params, image)
    assert result.cells.shape == (2, *grid, 1)
    assert result.quality.shape == (2,)
    assert np.isfinite(result.quality).all()


def test_both_placements_agree_on_whole_cells(params):
    image = jax.random.uniform(jax.random.key(1), (1, 128, 192, 1))
    placed, released = (estimate(params, image, placement) for placement in CellPlacement)
    np.testing.assert_array_equal(placed.cells, released.cells)
    np.testing.assert_allclose(placed.quality, released.quality, rtol=1e-6)


def test_partial_cell_is_weighted_by_its_area(params):
    image = jax.random.uniform(jax.random.key(1), (1, 64, 80, 1))
    result = estimate(params, image)
    whole, part = np.asarray(result.cells).ravel()
    assert result.quality[0] == pytest.approx((64 * whole + 16 * part) / 80, rel=1e-6)


def test_released_placement_needs_a_whole_cell(params):
    with pytest.raises(ValueError, match=r"63×64.*PLACED"):
        estimate(params, jnp.zeros((1, 63, 64, 1)), CellPlacement.RELEASED)
    assert cell_grid(127, 130, CellPlacement.RELEASED) == (1, 2)


def test_placed_map_equals_each_cell_at_its_centre():
    cells = jnp.asarray([[10.0, 50.0], [30.0, 90.0]])[None, ..., None]
    interpolated = np.asarray(
        quality_map(cells, height=128, width=100, placement=CellPlacement.PLACED)
    )[0, ..., 0]
    assert interpolated.shape == (128, 100)
    # The centre of the first cell lies between pixels 31 and 32; beyond, values increase.
    assert interpolated[31, 31] == 10
    assert interpolated[32, 32] == pytest.approx(10, abs=1)
    assert interpolated[96, 96] == 90
    assert interpolated[95, 95] == pytest.approx(90, abs=1)
    assert interpolated[0, 0] == pytest.approx(10)
    assert interpolated[63:65, 63:65].mean() == pytest.approx(45, abs=1e-4)  # mean of all four
    assert (np.diff(interpolated, axis=1) >= -1e-5).all()


def test_first_layer_initially_ignores_brightness(params):
    kernel = np.asarray(params["stage0_conv1"]["kernel"])
    np.testing.assert_allclose(kernel.sum(axis=(0, 1)), 0, atol=1e-5)
