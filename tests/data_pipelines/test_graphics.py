import numpy as np
import pytest

from data_pipelines.graphics import draw_graphics


@pytest.mark.parametrize("shape", [(64, 48), (64, 48, 3)])
def test_drawings_depend_only_on_the_generator(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    first, again, other = (draw_graphics(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.1


def test_half_of_the_drawings_leave_some_of_the_image_visible():
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    rng = np.random.default_rng(1)
    kept = [np.mean((draw_graphics(noise, rng) == noise).all(axis=-1)) for _ in range(100)]
    visible = [fraction for fraction in kept if fraction > 0.05]
    assert len(visible) == pytest.approx(50, abs=15)
    assert max(visible) < 1


def test_letters_are_mostly_smooth_and_sometimes_sharp():
    """On black with white letters, smooth edges are gray."""
    rng = np.random.default_rng(0)
    drawings = [draw_graphics(np.zeros((64, 64), np.uint8), rng) for _ in range(200)]
    levels = [np.unique(drawing) for drawing in drawings]
    assert np.mean([len(found) > 20 for found in levels]) > 0.5
    assert any(set(found) == {0, 255} for found in levels)
