import io

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.models import CellPlacement
from agarnet_jax.restoration.chroma_detail import Detail
from agarnet_jax.restoration.quality import QualityMap
from agarnet_jax.restoration.quality_choice import Assumed, QualityChoice, given
from agarnet_jax.restoration.splitting import split
from agarnet_jax.restoration.wishes import QualitySource, Wishes


def wishes(*, strength=1.0, **changes):
    return Wishes(strength=strength, chroma=True, bits=None, ensemble=1, **changes)


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

    assumed = choice.assumed(parts, wishes(quality=quality), cells)
    if quality is QualitySource.HEADER:
        with pytest.raises(ValueError, match="from the header, but there is none"):
            assumed.whole_map(parts)
    else:
        np.testing.assert_array_equal(assumed.whole_map(parts), np.full((40, 56), 80))


def test_cells_become_their_mean_or_a_map(choice, parts):
    """Cells count by the pixels that they cover of 40×56: all, with one cell."""
    found = {
        source: choice.assumed(parts, wishes(quality=source), lambda: np.full((1, 1), 62.0))
        for source in (QualitySource.IMAGE, QualitySource.MAP)
    }
    assert found[QualitySource.IMAGE].quality == 62
    assert isinstance(found[QualitySource.MAP].quality, QualityMap)
    for assumed in found.values():
        np.testing.assert_array_equal(assumed.whole_map(parts), np.full((40, 56), 62))


@pytest.mark.parametrize(("strength", "share"), [(0.5, 0.5), (1, 1), (1.5, 1)])
def test_less_strength_takes_less_detail_from_luma(parts, strength, share):
    assumed = Assumed(np.float32(80))
    assert assumed.detail(parts, wishes(strength=strength)) == Detail(share, 80)


def test_detail_is_of_the_quality_of_chroma(parts, astronaut):
    pixelwise = np.full(parts.size, 30, np.float32)
    pixelwise[:, ::2] = 50
    assert given(pixelwise).detail(parts, wishes()) == Detail(1, 40)
    assert Assumed(np.float32(80)).detail(parts, wishes(strength=0)) is None
    gray = split(astronaut[:40, :56, 0])
    assert Assumed(np.float32(80)).detail(gray, wishes()) is None


def test_nothing_is_better_than_its_last_compression(astronaut, encode):
    choice = QualityChoice(CellPlacement.PLACED, read_steps=True)
    file = Image.open(io.BytesIO(encode(astronaut[:40, :56], 60)))
    for parts, most in ((split(file), 60), (split(np.asarray(file)), 98)):
        for source in (QualitySource.IMAGE, QualitySource.MAP):
            cells = lambda: np.full((1, 1), 98, np.float32)  # noqa: E731
            assumed = choice.assumed(parts, wishes(quality=source), cells)
            assert (assumed.whole_map(parts) == most).all()
