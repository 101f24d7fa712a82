import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from agarnet_jax.models import CellPlacement
from agarnet_jax.restoration.chroma_detail import Detail
from agarnet_jax.restoration.quality import QualityMap
from agarnet_jax.restoration.quality_choice import Assumed, QualityChoice, given
from agarnet_jax.restoration.request import QualitySource, Request
from agarnet_jax.restoration.splitting import split


def request(*, strength=1.0, **changes):
    return Request(strength=strength, chroma=True, bits=None, ensemble=1, **changes)


@pytest.fixture(scope="module")
def parts(astronaut):
    return split(astronaut[:40, :56])


@pytest.fixture(scope="module")
def choice():
    return QualityChoice(CellPlacement.PLACED, read_steps=False)


@pytest.mark.parametrize("quality", [80, np.full((40, 56), 80.0), QualitySource.HEADER])
def test_the_estimator_is_not_asked_where_quality_is_given(choice, parts, quality):
    def cells():
        raise AssertionError("not needed")

    assumed = choice.assumed(parts, request(quality=quality), cells)
    if quality is QualitySource.HEADER:
        with pytest.raises(ValueError, match="from the header, but there is none"):
            assumed.whole_map(parts)
    else:
        np.testing.assert_array_equal(assumed.whole_map(parts), np.full((40, 56), 80))


def test_cells_become_their_mean_or_a_map(choice, parts):
    """Cells count by the pixels that they cover of 40×56: all, with one cell."""
    found = {
        source: choice.assumed(parts, request(quality=source), lambda: np.full((1, 1), 62.0))
        for source in (QualitySource.IMAGE, QualitySource.MAP)
    }
    assert found[QualitySource.IMAGE].quality == 62
    assert isinstance(found[QualitySource.MAP].quality, QualityMap)
    for assumed in found.values():
        np.testing.assert_array_equal(assumed.whole_map(parts), np.full((40, 56), 62))


@pytest.mark.parametrize(("strength", "share"), [(0.5, 0.5), (1, 1), (1.5, 1)])
def test_less_strength_takes_less_detail_from_luma(parts, strength, share):
    assumed = Assumed(np.float32(80))
    assert assumed.detail(parts, request(strength=strength)) == Detail(share, 80)


def test_detail_is_of_the_quality_of_chroma(parts, astronaut):
    pixelwise = np.full(parts.size, 30, np.float32)
    pixelwise[:, ::2] = 50
    assert given(pixelwise).detail(parts, request()) == Detail(1, 40)
    assert Assumed(np.float32(80)).detail(parts, request(strength=0)) is None
    gray = split(astronaut[:40, :56, 0])
    assert Assumed(np.float32(80)).detail(gray, request()) is None


def test_nothing_is_better_than_its_last_compression(astronaut, encode):
    choice = QualityChoice(CellPlacement.PLACED, read_steps=True)
    file = Image.open(io.BytesIO(encode(astronaut[:40, :56], 60)))
    for parts, most in ((split(file), 60), (split(np.asarray(file)), 98)):
        for source in (QualitySource.IMAGE, QualitySource.MAP):
            cells = lambda: np.full((1, 1), 98, np.float32)  # noqa: E731
            assumed = choice.assumed(parts, request(quality=source), cells)
            assert (assumed.whole_map(parts) == most).all()


def window():
    """Black letters on white and gray, as programs draw them."""
    picture = Image.new("L", (384, 256), 255)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 176, 384, 256), fill=200)
    for top in range(4, 244, 14):
        draw.text((5, top), "Pack my box with five dozen jugs. " * 2, 0)
    return np.asarray(picture)


@pytest.mark.parametrize(("quality", "believed"), [(75, 75), (90, 90), (None, 100)])
def test_steps_of_a_drawing_without_a_header_overrule_an_estimate(encode, quality, believed):
    """And never having been compressed does."""
    choice = QualityChoice(CellPlacement.PLACED, read_steps=True)
    drawing = window()
    if quality:
        drawing = np.asarray(Image.open(io.BytesIO(encode(drawing, quality))))
    parts = split(drawing)
    for source in (QualitySource.IMAGE, QualitySource.MAP):
        assumed = choice.assumed(parts, request(quality=source), lambda: np.full((4, 6), 40.0))
        assert assumed.overruled == 40
        assert assumed.whole_map(parts) == pytest.approx(believed, abs=0.5)


def test_a_drawing_whose_grid_shows_was_compressed(encode):
    """All of its blocks have white pixels, so no step shows."""
    page = np.asarray(Image.open(io.BytesIO(encode(window()[:176], 40))))
    parts = split(page)
    assert parts.lead.detected_quality is None
    choice = QualityChoice(CellPlacement.PLACED, read_steps=True)
    image = request(quality=QualitySource.IMAGE)
    for of_it, quality in ((parts, 40), (split(window()[:176]), 100)):
        assumed = choice.assumed(of_it, image, lambda: np.full((3, 6), 40.0))
        assert (assumed.whole_map(of_it) == quality).all()


@pytest.mark.parametrize("shift", [0, 3])
def test_photographs_without_a_header_keep_their_estimate(astronaut, encode, shift):
    choice = QualityChoice(CellPlacement.PLACED, read_steps=True)
    for qualities in ((20,), (20, 90)):
        photo = astronaut
        for quality in qualities:
            photo = np.asarray(Image.open(io.BytesIO(encode(photo[shift:, shift:], quality))))
        parts = split(photo[shift:, shift:])
        cells = np.full((8, 8), 30.0)
        assumed = choice.assumed(parts, request(quality=QualitySource.IMAGE), lambda: cells)  # noqa: B023
        assert assumed.overruled is None
