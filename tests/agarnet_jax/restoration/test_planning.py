import numpy as np
import pytest

from agarnet_jax import jpeg_tables
from agarnet_jax.jpeg_tables import ANNEX_K_CHROMINANCE, ANNEX_K_LUMINANCE
from agarnet_jax.models import AGARNetConfig
from agarnet_jax.restoration import planning
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader
from agarnet_jax.restoration.quality_choice import Assumed, given
from agarnet_jax.restoration.request import Orientation, Request
from agarnet_jax.restoration.splitting import Subsampling, split
from agarnet_jax.restoration.tiling import Everywhere

# A camera's tables, not Annex K's.
LUMA = 3 + np.add.outer(np.arange(8), 2 * np.arange(8))
CHROMA = 5 + LUMA


def request(**changes):
    usual = {
        "table": None,
        "orientation": Orientation.UPRIGHT,
        "strength": 1.0,
        "chroma": True,
        "bits": None,
        "ensemble": 1,
    }
    return Request(**usual | changes)


@pytest.fixture(scope="module")
def parts(astronaut):
    """Of a photograph as 4:2:0, with a header."""
    header = JpegHeader((LUMA, CHROMA, CHROMA), ((2, 2), (1, 1), (1, 1)), Coding.YCBCR, False)
    return split(astronaut[:40, :56], header=header)


def told(parts, assumed, **changes):
    """For each plane, quality and tables (101, 8, 8) that the network gets."""
    found = []
    for plane, (pixels, quality, tables) in planning.layers(
        parts, assumed, request(**changes), AGARNetConfig()
    ):
        assert pixels is plane
        steps = np.empty((101, 64))
        steps[:, jpeg_tables.TRANSPOSED_ZIGZAG] = 255 * tables.value
        found.append((quality, steps.reshape(101, 8, 8)))
    return found


def test_chroma_gets_the_same_quality_and_the_chroma_table(parts):
    found = told(parts, Assumed(np.float32(80)))
    bases = (ANNEX_K_LUMINANCE, ANNEX_K_CHROMINANCE, ANNEX_K_CHROMINANCE)
    for (quality, tables), base in zip(found, bases, strict=True):
        assert quality.value == 80
        expected = jpeg_tables.quality_table(80, base=base)
        np.testing.assert_allclose(tables[80], expected, atol=1e-4)


def test_a_header_gives_each_plane_its_own(parts):
    found = told(parts, Assumed(None), strength=0.5)
    own = ((LUMA, ANNEX_K_LUMINANCE), (CHROMA, ANNEX_K_CHROMINANCE))
    for (quality, tables), (table, base) in zip(found[:2], own):
        effective = jpeg_tables.effective_quality(table, base=base)
        assert quality.value == pytest.approx(100 - (100 - effective) / 2)  # both above 50
        np.testing.assert_allclose(tables[7], np.maximum(1, np.rint(table / 2)), atol=1e-4)


def test_a_given_table_is_of_luma(parts):
    luma, cb, _ = told(parts, Assumed(np.float32(80)), table=LUMA)
    np.testing.assert_allclose(luma[1][80], LUMA, atol=1e-4)
    expected = jpeg_tables.quality_table(80, base=ANNEX_K_CHROMINANCE)
    np.testing.assert_allclose(cb[1][80], expected, atol=1e-4)


def test_transposed_images_get_transposed_tables(parts):
    (_, tables), *_ = told(parts, Assumed(np.float32(80)), orientation=Orientation.TRANSPOSED)
    np.testing.assert_allclose(tables[80], jpeg_tables.quality_table(80).T, atol=1e-4)


def test_a_map_is_averaged_for_chroma(parts):
    quality = np.random.default_rng(0).uniform(50, 90, (40, 56)).astype(np.float32)
    luma, cb, cr = (entry for entry, _ in told(parts, given(quality)))
    np.testing.assert_array_equal(luma[:, :], quality)
    expected = quality.reshape(20, 2, 28, 2).mean(axis=(1, 3))
    for entry in (cb, cr):
        assert not isinstance(entry, Everywhere)
        np.testing.assert_allclose(entry[:, :], expected, rtol=1e-6)


def test_what_needs_no_restoration_is_left_out(parts, astronaut):
    assumed = Assumed(np.float32(80))
    assert not told(parts, assumed, strength=0)
    assert len(told(parts, assumed, chroma=False)) == 1
    gray = split(np.repeat(astronaut[:40, :56, :1], 3, axis=2))
    assert len(told(gray, assumed)) == 1
    groups = planning.groups(parts, assumed, request(), AGARNetConfig())
    assert [len(group) for group in groups] == [1, 2]
    full = split(astronaut[:40, :56], subsampling=Subsampling.S444)
    (group,) = planning.groups(full, assumed, request(), AGARNetConfig())
    assert len(group) == 3


@pytest.mark.parametrize(("step", "strength", "told_step"), [(1, 0.2, 1), (200, 1.5, 255)])
def test_steps_stay_those_of_a_table_whatever_the_strength(parts, step, strength, told_step):
    table = np.full((8, 8), step)
    (_, tables), *_ = told(parts, Assumed(np.float32(80)), table=table, strength=strength)
    np.testing.assert_allclose(tables[80], np.full((8, 8), told_step), atol=1e-4)
