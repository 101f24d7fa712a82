import io

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.restoration.alignment import Alignment
from agarnet_jax.restoration.traces.grid import Grid, find_grid


@pytest.mark.parametrize("shape", [(21, 34), (21, 34, 3)])
@pytest.mark.parametrize("phase", [(0, 0), (3, 0), (7, 1)])
def test_undoing_an_alignment_restores_the_image(shape, phase):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    alignment = Alignment.of(Grid(*phase, confidence=9.0))
    aligned = alignment.apply(image)
    assert ((phase[0] + alignment.rows) % 8, (phase[1] + alignment.columns) % 8) == (0, 0)
    assert max(alignment.rows, alignment.columns) < 8
    np.testing.assert_array_equal(aligned[0, alignment.columns :], image[0])
    np.testing.assert_array_equal(alignment.undo(aligned), image)
    assert aligned.dtype == image.dtype


@pytest.mark.parametrize("grid", [None, Grid(0, 0, confidence=9.0)])
def test_an_image_whose_grid_begins_at_the_corner_is_not_copied(grid):
    image, alignment = Image.new("L", (9, 9)), Alignment.of(grid)
    assert not alignment.is_needed
    assert alignment.apply(image) is alignment.undo(image) is image


def test_the_grid_of_an_aligned_image_begins_at_the_corner(gray_photo, encode):
    decoded = np.asarray(Image.open(io.BytesIO(encode(gray_photo, 40))))[6:, 3:]
    found = find_grid(Alignment.of(find_grid(decoded)).apply(decoded))
    assert (found.row, found.column) == (0, 0)
