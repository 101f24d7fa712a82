import matplotlib
import numpy as np
import pytest
from PIL import Image

from agarnet_jax.restoration.files import visualization
from agarnet_jax.restoration.files.visualization import colors, comparison, map_image


def test_colours_match_viridis():
    expected = matplotlib.colormaps["viridis"](np.linspace(0, 1, 256))[:, :3] * 255
    found = colors(np.linspace(1, 100, 256))
    assert np.abs(found - expected).max() < 6  # linear interpolation between 17 colours


def test_the_map_is_on_the_left_in_its_colours():
    quality = np.full((200, 300), 30.0, np.float32)
    quality[:, 150:] = 90
    picture = np.asarray(map_image(quality))
    assert picture.shape[0] == 200
    for column, value in ((10, 30), (290, 90)):
        np.testing.assert_allclose(picture[100, column], colors(np.array(value)), atol=0.5)


def test_the_scale_spans_1_to_100_and_marks_the_range():
    bars = [np.asarray(map_image(np.full((300, 256), q)))[:, 256:].astype(int) for q in (10, 50)]
    for bar in bars:
        highest, lowest = (
            np.flatnonzero((np.abs(bar - colors(np.array(q))).max(axis=2) <= 1).any(axis=1))
            for q in (100.0, 1.0)
        )
        assert highest.min() < 15
        assert lowest.max() > 285
    rows = np.flatnonzero((bars[0] != bars[1]).any(axis=(1, 2)))
    assert rows.max() > 0.85 * 300  # the mark at 10 is near the bottom, that at 50 in the middle
    assert 0.4 * 300 < rows.min() < 0.6 * 300


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 2), (20, 13), (300, 1500)])
def test_images_of_any_size_are_rendered_at_a_readable_size(shape):
    image = np.full((*shape, 3), 100, np.uint8)
    quality = np.broadcast_to(np.float32(40), shape)
    for picture in (map_image(quality), comparison(image, image, quality)):
        assert picture.mode == "RGB"
        assert 128 <= max(picture.size) <= 2100


@pytest.mark.parametrize("side", [300, 1201])
def test_the_comparison_shows_all_four_panels(side):
    """Panels are recognized by their colours; large ones are reduced by averaging."""
    before = np.full((side, side, 3), 100, np.uint8)
    after = before.copy()
    after[:, ::2] += 4
    picture = np.asarray(comparison(before, after, np.full((side, side), 55.0)))

    def fraction(color):
        return (picture == np.asarray(color)).all(axis=2).mean()

    assert fraction([100] * 3) > 0.1
    assert fraction(np.rint(colors(np.array(55.0)))) > 0.1
    if side == 300:
        assert fraction([104] * 3) > 0.05
        assert fraction([128] * 3) > 0.05
        assert fraction([160] * 3) > 0.05
    else:  # means of pairs are 2 levels higher; 8 times that is 16
        assert fraction([102] * 3) > 0.1
        assert fraction([144] * 3) > 0.1


def test_images_and_arrays_of_any_type_are_rendered_alike(astronaut):
    image = astronaut[:64, :64]
    quality = np.full((64, 64), 55.0)
    expected = np.asarray(comparison(image, image, quality)).astype(int)
    rgba = np.dstack([image, image[..., 0]])
    for other in (rgba, image.astype(np.uint16) * 257, image / 255, Image.fromarray(image)):
        np.testing.assert_array_equal(np.asarray(comparison(other, image, quality)), expected)
    coded = np.asarray(comparison(Image.fromarray(image).convert("YCbCr"), image, quality))
    # The round trip is off by up to 3, which the difference panel multiplies by 8.
    assert 0 < np.abs(coded - expected).max() <= 24


def test_gray_stays_gray():
    gray = np.full((64, 64), 60, np.uint8)
    panel = np.asarray(comparison(gray, Image.fromarray(gray), np.full((64, 64), 1.0)))
    assert (panel[100, 50] == 60).all()


@pytest.mark.parametrize(
    ("after", "quality", "message"),
    [
        (np.zeros((8, 9), np.uint8), np.full((8, 8), 5.0), r"the same size .*, got .*\(8, 9\)"),
        (np.zeros((8, 8), np.uint8), np.full((8, 8), 0.0), "1–100, got 0 to 0"),
        (np.zeros((8, 8), np.uint8), np.full((8, 8), np.nan), "1–100, got nan"),
        (np.zeros((8, 8), np.uint8), np.full(8, 5.0), r"\(H, W\), got shape"),
    ],
)
def test_mismatched_sizes_and_invalid_maps_are_refused(after, quality, message):
    with pytest.raises(ValueError, match=message):
        visualization.comparison(np.zeros((8, 8), np.uint8), after, quality)


def test_large_maps_are_reduced_by_averaging_squares():
    qualities = np.linspace(1, 100, 600, dtype=np.float32)[:, None].repeat(900, axis=1)
    reduced = np.asarray(map_image(qualities.repeat(3, axis=0).repeat(3, axis=1)))
    expected = np.rint(colors(qualities[:, 0]))  # a third of each side
    np.testing.assert_allclose(reduced[:600, 450], expected, atol=1)
    assert reduced.shape[0] == 600
