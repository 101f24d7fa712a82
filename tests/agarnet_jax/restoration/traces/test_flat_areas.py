import io

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.restoration import QualitySource, Restorer
from agarnet_jax.restoration.traces.flat_areas import (
    detail_fractions,
    fill_flat_cells,
    mean_quality,
)


def test_detail_fractions_count_blocks():
    plane = np.full((70, 130), 0.25, np.float32)
    plane[20, 100] += 1 / 255  # one block
    plane[:, 128:] = 0.75  # the edge counts for the blocks to its left
    fractions = detail_fractions(plane)
    np.testing.assert_allclose(fractions, [[0, 9 / 64, 0], [0, 1 / 8, 0]])
    np.testing.assert_array_equal(detail_fractions(plane.T), fractions.T)
    plane[20, 100] = 0.25 + 0.4 / 255  # less than a level
    assert detail_fractions(plane)[0, 1] == 8 / 64


def test_excluded_blocks_count_as_flat():
    plane = np.random.default_rng(0).random((70, 130))
    excluded = np.zeros((9, 17), bool)
    excluded[:8, :4], excluded[8, 16] = True, True
    np.testing.assert_array_equal(
        detail_fractions(plane, excluded=excluded), [[0.5, 1, 1], [1, 1, 0]]
    )


def test_detail_fractions_exist_for_any_size():
    for height, width in ((1, 1), (1, 200), (63, 65), (128, 64)):
        plane = np.random.default_rng(0).random((height, width))
        fractions = detail_fractions(plane)
        assert fractions.shape == (-(-height // 64), -(-width // 64))
        assert (fractions == 1).all() or height * width == 1


def test_cells_are_weighted_by_area_and_squared_fraction():
    cells = np.array([[10, 50, 90]], np.float32)
    assert mean_quality(cells, np.array([[1, 1, 1]]), (64, 144)) == pytest.approx(
        (64 * 10 + 64 * 50 + 16 * 90) / 144
    )
    assert mean_quality(cells, np.array([[1, 0.5, 0]]), (64, 144)) == pytest.approx(18)
    flat = mean_quality(cells, np.zeros((1, 3)), (64, 144))
    assert flat == mean_quality(cells, np.ones((1, 3)), (64, 144))


def test_flat_cells_take_the_estimate():
    cells, fractions = np.array([[10, 50, 90]], np.float32), np.array([[0.59, 0.61, 1]])
    np.testing.assert_array_equal(fill_flat_cells(cells, fractions, 60.0), [[60, 50, 90]])


@pytest.mark.parametrize("background", [0, 255])
@pytest.mark.parametrize("quality", [40, 90])
def test_a_border_does_not_dominate_the_estimate(astronaut, encode, background, quality):
    picture = np.full((320, 448, 3), background, np.uint8)
    picture[60:260, 100:340] = astronaut[100:300, 100:340]
    restorer = Restorer.from_pretrained("tiny")
    jpeg = np.asarray(Image.open(io.BytesIO(encode(picture, quality))))
    estimates = restorer.estimate(jpeg)
    assert abs(estimates[QualitySource.IMAGE] - quality) < 4
    assert abs(estimates[QualitySource.MAP].mean() - quality) < 8
    alone = Restorer(restorer.weights, use_traces=False).estimate(jpeg)
    assert alone[QualitySource.IMAGE] < quality - 4  # the network's own
