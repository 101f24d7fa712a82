import jax.numpy as jnp
import numpy as np
import pytest

from agarnet_jax import jpeg_tables, models
from agarnet_jax.models import CellPlacement
from agarnet_jax.restoration.quality import (
    QualityMap,
    apply_strength,
    shrink_toward,
    validate_quality,
)


@pytest.mark.parametrize("quality", [20, 40, 50, 60, 80])
@pytest.mark.parametrize("strength", [0.5, 0.8, 1.25, 1.5])
def test_strength_multiplies_quantization_steps(quality, strength):
    adjusted = float(apply_strength(quality, strength))
    table = jpeg_tables.quality_table(quality)
    below, above = (jpeg_tables.quality_table(int(adjusted) + i) for i in (0, 1))
    # So coarse that rounding hardly matters, and none clipped at 255.
    some = (table > 20) & (table < 160)
    assert (above[some] - 1 <= strength * table[some]).all()
    assert (strength * table[some] <= below[some] + 2).all()


def test_strength_0_and_1_and_the_limits_of_quality():
    qualities = np.array([1, 7, 30, 50, 77, 100], np.float32)
    np.testing.assert_array_equal(apply_strength(qualities, 1), qualities)
    np.testing.assert_array_equal(apply_strength(qualities, 0), 100)
    assert apply_strength(1, 1.5) == 1
    assert (
        np.diff([apply_strength(qualities, s) for s in np.linspace(0, 1.5, 16)], axis=0) <= 0
    ).all()


def test_cells_shrink_toward_the_estimate_if_they_are_near_it():
    cells = np.array([[50, 55, 45.5], [60, 70, 10]], np.float32)
    shrunk = shrink_toward(50.0, cells)
    np.testing.assert_array_equal(shrunk[0], 50)
    np.testing.assert_allclose(shrunk[1], [60 - 2.5, 70 - 1.25, 10 + 0.625], rtol=1e-6)
    assert shrunk.dtype == np.float32


@pytest.mark.parametrize("placement", CellPlacement)
@pytest.mark.parametrize("size", [(200, 330), (64, 65)])
def test_maps_read_in_parts_equal_those_of_the_estimator(placement, size):
    shape = models.estimator.cell_grid(*size, placement)
    cells = np.random.default_rng(0).uniform(5, 95, shape).astype(np.float32)
    expected = models.quality_map(
        jnp.asarray(cells[None, ..., None]), height=size[0], width=size[1], placement=placement
    )[0, ..., 0]
    ours = QualityMap.from_cells(cells, size=size, placement=placement)
    np.testing.assert_allclose(ours.to_array(), expected, atol=1e-3)
    np.testing.assert_allclose(ours[9:60, 11:], expected[9:60, 11:], atol=1e-3)


def test_the_map_of_a_subsampled_plane_has_means_of_pixels():
    quality = np.random.default_rng(0).uniform(60, 90, (20, 31)).astype(np.float32)
    whole = QualityMap((20, 31), lambda rows, columns: quality[rows, columns])
    half = whole.for_plane((2, 2), 0.5)
    assert half.shape == (10, 16)
    assert half[3:4, 5:6].item() == pytest.approx(100 - (100 - quality[6:8, 10:12].mean()) / 2)
    assert half[0:1, 15:16].item() == pytest.approx(100 - (100 - quality[:2, 30].mean()) / 2)


def test_cells_out_of_range_are_clipped():
    wild = np.array([[-20.0, 130.0]], np.float32)
    clipped = QualityMap.from_cells(wild, size=(64, 128), placement=CellPlacement.PLACED).to_array()
    assert clipped.min() == 1
    assert clipped.max() == 100


@pytest.mark.parametrize("quality", [0, 101, float("nan"), np.ones((3, 3))])
def test_invalid_quality_is_refused_with_the_valid_range_or_shape(quality):
    with pytest.raises(ValueError, match=r"1–100|shape"):
        validate_quality(quality, (4, 4))
