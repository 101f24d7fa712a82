import numpy as np
import pytest

from agarnet_jax.jpeg_tables import quality_table
from agarnet_jax.restoration import pixels
from agarnet_jax.restoration.traces import uncompressed_graphics

DARK = {"ink": 230, "paper": 30}


def find(plane, quality):
    return uncompressed_graphics.find(plane, table=quality_table(quality))


@pytest.fixture
def screenshot(page, photo, decoded):
    """(quality, colors) → a page of text with a photograph of that quality, and a mask of it."""

    def screenshot(quality, **colors):
        plane = page(384, **colors).astype(np.float32) / 255
        plane[128:256, 128:256] = decoded(photo[64:192, 160:288], quality)
        blocks = np.zeros((48, 48), bool)
        blocks[16:32, 16:32] = True
        return plane, blocks

    return screenshot


@pytest.mark.parametrize("quality", [10, 30, 60, 90])
@pytest.mark.parametrize("colors", [{}, DARK], ids=["on white", "on dark"])
def test_text_is_told_from_the_photograph_it_surrounds(screenshot, colors, quality):
    plane, is_photo = screenshot(quality, **colors)
    found = find(plane, quality)
    has_detail = np.ptp(plane.reshape(48, 8, 48, 8), axis=(1, 3)) > 0.1
    assert found[has_detail & is_photo].mean() < 0.03
    assert found[has_detail & ~is_photo].mean() > 0.99


def test_flat_blocks_between_graphics_are_graphics(screenshot):
    plane, _ = screenshot(60)
    plane[48:64, 96:112] = 1
    assert find(plane, 60)[6:8, 12:14].all()


@pytest.mark.parametrize("quality", [10, 50, 75, 90])
def test_nothing_is_found_in_what_was_compressed(page, photo, astronaut, decoded, quality):
    saturated = np.clip(3.0 * astronaut - 2.0 * photo[..., None], 0, 255).astype(np.uint8)
    for image in (photo, astronaut, saturated, page(384), page(384, **DARK)):
        assert not find(decoded(image, quality), quality).any()


def test_photographs_without_the_table_are_not_graphics(photo, decoded):
    """Never compressed, with another table, or on another grid."""
    plane = decoded(photo, 50)
    for other in (photo / 255.0, decoded(photo, 85), np.roll(plane, (3, 5), axis=(0, 1))):
        plane[:, 256:] = other[:, 256:]
        assert not find(plane, 50).any()


def test_partial_blocks_are_marked_like_their_neighbours(screenshot):
    plane, _ = screenshot(60)
    whole = find(plane, 60)
    cropped = find(plane[:-3, :-7], 60)
    assert cropped.shape == whole.shape
    np.testing.assert_array_equal(cropped[-1], cropped[-2])
    np.testing.assert_array_equal(cropped[:, -1], cropped[:, -2])


def test_strips_do_not_change_the_result(screenshot, monkeypatch):
    plane, _ = screenshot(60)
    expected = find(plane, 60)
    monkeypatch.setattr(pixels, "_STRIP_PIXELS", 20 * plane.shape[1])
    np.testing.assert_array_equal(find(plane, 60), expected)
