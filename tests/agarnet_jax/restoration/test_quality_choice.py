import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from agarnet_jax.models import CellPlacement
from agarnet_jax.restoration.quality import QualityMap
from agarnet_jax.restoration.quality_choice import QualityChooser
from agarnet_jax.restoration.request import ESTIMATED_SOURCES, QualitySource, Request
from agarnet_jax.restoration.splitting import split
from agarnet_jax.restoration.traces.grid import find_grid


def request(*, strength=1.0, **changes):
    return Request(strength=strength, chroma=True, bits=None, ensemble=1, **changes)


@pytest.fixture(scope="module")
def components(astronaut):
    return split(astronaut[:40, :56])


@pytest.fixture(scope="module")
def chooser():
    return QualityChooser(CellPlacement.PLACED, use_traces=False)


@pytest.mark.parametrize("quality", [80, np.full((40, 56), 80.0), QualitySource.HEADER])
def test_the_estimator_does_not_run_if_the_quality_is_given(chooser, components, quality):
    def cells():
        raise AssertionError("not needed")

    assumed = chooser.choose(components, request(quality=quality), cells)
    if quality is QualitySource.HEADER:
        with pytest.raises(
            ValueError, match="quality is 'header', but the image has no JPEG header"
        ):
            assumed.as_map(components)
    else:
        np.testing.assert_array_equal(assumed.as_map(components), np.full((40, 56), 80))


def test_the_estimate_is_the_mean_of_the_cells_or_a_map(chooser, components):
    """One cell covers all of the 40×56 pixels."""
    found = {
        source: chooser.choose(components, request(quality=source), lambda: np.full((1, 1), 62.0))
        for source in ESTIMATED_SOURCES
    }
    assert found[QualitySource.IMAGE].value == 62
    assert isinstance(found[QualitySource.MAP].value, QualityMap)
    for assumed in found.values():
        np.testing.assert_array_equal(assumed.as_map(components), np.full((40, 56), 62))


def test_estimates_do_not_exceed_the_quality_of_the_last_compression(astronaut, encode):
    chooser = QualityChooser(CellPlacement.PLACED, use_traces=True)
    file = Image.open(io.BytesIO(encode(astronaut[:40, :56], 60)))
    for components, expected in ((split(file), 60), (split(np.asarray(file)), 98)):
        for source in ESTIMATED_SOURCES:
            cells = lambda: np.full((1, 1), 98, np.float32)  # noqa: E731
            assumed = chooser.choose(components, request(quality=source), cells)
            assert (assumed.as_map(components) == expected).all()


def test_a_given_table_is_used_even_if_the_header_is_confirmed(astronaut, encode):
    chooser = QualityChooser(CellPlacement.PLACED, use_traces=True)
    components = split(Image.open(io.BytesIO(encode(astronaut[:256, :256], 60))))
    for table, is_from_header in ((None, True), (np.full((8, 8), 9), False)):
        asked = request(quality=QualitySource.IMAGE, table=table)
        assumed = chooser.choose(components, asked, lambda: np.full((4, 4), 58.0))
        assert assumed.is_from_header == is_from_header
        np.testing.assert_array_equal(assumed.as_map(components), np.full((256, 256), 60))


def screenshot():
    """Rendered text, black on white and gray."""
    picture = Image.new("L", (384, 256), 255)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 176, 384, 256), fill=200)
    for top in range(4, 244, 14):
        draw.text((5, top), "Pack my box with five dozen jugs. " * 2, 0)
    return np.asarray(picture)


@pytest.mark.parametrize(("quality", "expected"), [(75, 75), (90, 90), (None, 100)])
def test_without_a_header_spurious_estimates_of_graphics_are_replaced(encode, quality, expected):
    """By the detected quality, or 100 if the image was never compressed."""
    chooser = QualityChooser(CellPlacement.PLACED, use_traces=True)
    image = screenshot()
    if quality:
        image = np.asarray(Image.open(io.BytesIO(encode(image, quality))))
    components = split(image)
    for source in ESTIMATED_SOURCES:
        assumed = chooser.choose(components, request(quality=source), lambda: np.full((4, 6), 40.0))
        assert assumed.overruled == 40
        assert assumed.as_map(components) == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize(
    ("estimate", "corner", "expected"), [(85, 0, 85), (97, 0, 99.5), (85, 3, 99.5)]
)
def test_low_estimates_of_edited_jpegs_are_kept(astronaut, encode, estimate, corner, expected):
    """Brightening hides the steps, but not the grid, if that is where the image begins."""
    file = Image.open(io.BytesIO(encode(astronaut[:256, :256], 88)))
    edited = np.rint(255 * (np.asarray(file) / 255) ** 0.8).astype(np.uint8)[corner:, corner:]
    never = np.rint(255 * (astronaut[:256, :256] / 255) ** 0.8).astype(np.uint8)
    nearly_lossless = np.asarray(Image.open(io.BytesIO(encode(astronaut[:256, :256], 99))))
    chooser = QualityChooser(CellPlacement.PLACED, use_traces=True)
    image = request(quality=QualitySource.IMAGE)
    for pixels, quality in ((edited, expected), (never, 99.5), (nearly_lossless, 99.5)):
        components = split(pixels)
        assert components.primary.detected_quality == 99.5
        assumed = chooser.choose(components, image, lambda: np.full((4, 4), float(estimate)))
        assert assumed.as_map(components) == pytest.approx(quality)


def test_enlarged_pixel_art_was_never_compressed(astronaut):
    """Its grid is that of its enlarged pixels."""
    small = Image.fromarray(astronaut).resize((32, 32)).quantize(12).convert("RGB")
    components = split(np.asarray(small.resize((256, 256), Image.Resampling.NEAREST)))
    assert find_grid(components.primary) is not None
    chooser = QualityChooser(CellPlacement.PLACED, use_traces=True)
    image = request(quality=QualitySource.IMAGE)
    assumed = chooser.choose(components, image, lambda: np.full((4, 4), 3.0))
    assert (assumed.value, assumed.overruled) == (100, 3)


def test_spurious_estimates_of_rotated_graphics_are_replaced(page, encode):
    """Their quantization table is transposed."""
    file = Image.open(io.BytesIO(encode(page(ink=230, paper=30), 90)))
    components = split(np.rot90(np.asarray(file)))
    chooser = QualityChooser(CellPlacement.PLACED, use_traces=True)
    image = request(quality=QualitySource.IMAGE)
    assumed = chooser.choose(components, image, lambda: np.full((6, 3), 40.0))
    assert (assumed.value, assumed.overruled) == (90, 40)


def test_uncompressed_graphics_do_not_affect_the_estimate(astronaut, encode):
    """Their pixels have quality 100, the others the estimate of the cells of the photograph."""
    chooser = QualityChooser(CellPlacement.PLACED, use_traces=True)
    image = np.stack([screenshot()] * 3, axis=-1)
    image[64:192, 128:256] = Image.open(io.BytesIO(encode(astronaut[:128, 128:256], 70)))
    components = split(image)
    cells = np.full((4, 6), 5.0)
    cells[1:3, 2:4] = 66
    assumed = chooser.choose(components, request(quality=QualitySource.IMAGE), lambda: cells)
    assert assumed.value == 70
    assert assumed.overruled is None
    values = assumed.as_map(components)
    assert (values[80:176, 144:240] == 70).all()
    assert (values[:56, :320] == 100).mean() > 0.95
    given = chooser.choose(components, request(quality=50), lambda: cells)
    assert (given.as_map(components) == 50).all()


def test_graphics_with_a_detected_grid_keep_their_estimate(encode):
    """Without a detected quality, as with a coarse table of another encoder."""
    file = encode(screenshot()[:176], -1, qtables=[[45] * 64])
    page = np.asarray(Image.open(io.BytesIO(file)))
    components = split(page)
    assert components.primary.detected_quality is None
    chooser = QualityChooser(CellPlacement.PLACED, use_traces=True)
    image = request(quality=QualitySource.IMAGE)
    for each, quality in ((components, 40), (split(screenshot()[:176]), 100)):
        assumed = chooser.choose(each, image, lambda: np.full((3, 6), 40.0))
        assert (assumed.as_map(each) == quality).all()


@pytest.mark.parametrize("shift", [0, 3])
def test_photographs_without_a_header_keep_their_estimate(astronaut, encode, shift):
    chooser = QualityChooser(CellPlacement.PLACED, use_traces=True)
    for qualities in ((20,), (20, 90)):
        photo = astronaut
        for quality in qualities:
            photo = np.asarray(Image.open(io.BytesIO(encode(photo[shift:, shift:], quality))))
        components = split(photo[shift:, shift:])
        cells = np.full((8, 8), 30.0)
        assumed = chooser.choose(components, request(quality=QualitySource.IMAGE), lambda: cells)  # noqa: B023
        assert assumed.overruled is None
