import numpy as np
import pytest

from agarnet_jax import jpeg_tables
from agarnet_jax.jpeg_tables import ANNEX_K_CHROMINANCE, ANNEX_K_LUMINANCE
from agarnet_jax.models import AGARNetConfig
from agarnet_jax.restoration import planning
from agarnet_jax.restoration.chroma_detail import Detail
from agarnet_jax.restoration.jpeg_header import Coding, JpegHeader
from agarnet_jax.restoration.quality_choice import AssumedQuality
from agarnet_jax.restoration.request import Request
from agarnet_jax.restoration.splitting import Subsampling, split
from agarnet_jax.restoration.tiling import Constant

# A camera's tables, not Annex K's.
LUMA = 3 + np.add.outer(np.arange(8), 2 * np.arange(8))
CHROMA = 5 + LUMA


def request(**changes):
    defaults = {
        "table": None,
        "strength": 1.0,
        "chroma": True,
        "bits": None,
        "ensemble": 1,
    }
    return Request(**defaults | changes)


@pytest.fixture(scope="module")
def components(astronaut):
    """Components of a photograph as 4:2:0, with a header."""
    header = JpegHeader((LUMA, CHROMA, CHROMA), ((2, 2), (1, 1), (1, 1)), Coding.YCBCR, False)
    return split(astronaut[:40, :56], header=header)


def inputs_of(components, assumed, **changes):
    """Returns quality and tables (101, 8, 8) that the network gets for each plane."""
    found = []
    for plane, (pixels, quality, tables) in planning.network_inputs(
        components, assumed, request(**changes), AGARNetConfig()
    ):
        assert pixels is plane
        steps = np.empty((101, 64))
        steps[:, jpeg_tables.TRANSPOSED_ZIGZAG] = 255 * tables.value
        found.append((quality, steps.reshape(101, 8, 8)))
    return found


def test_chroma_gets_the_same_quality_and_the_chroma_table(components):
    found = inputs_of(components, AssumedQuality(np.float32(80)))
    bases = (ANNEX_K_LUMINANCE, ANNEX_K_CHROMINANCE, ANNEX_K_CHROMINANCE)
    for (quality, tables), base in zip(found, bases, strict=True):
        assert quality.value == 80
        expected = jpeg_tables.quality_table(80, base=base)
        np.testing.assert_allclose(tables[80], expected, atol=1e-4)


def test_with_a_header_each_plane_gets_its_own_quality_and_table(components):
    found = inputs_of(components, AssumedQuality(None), strength=0.5)
    own = ((LUMA, ANNEX_K_LUMINANCE), (CHROMA, ANNEX_K_CHROMINANCE))
    for (quality, tables), (table, base) in zip(found[:2], own):
        effective = jpeg_tables.effective_quality(table, base=base)
        assert quality.value == pytest.approx(100 - (100 - effective) / 2)  # both above 50
        np.testing.assert_allclose(tables[7], np.maximum(1, np.rint(table / 2)), atol=1e-4)


def test_a_given_table_is_used_for_luma_only(components):
    luma, cb, _ = inputs_of(components, AssumedQuality(np.float32(80)), table=LUMA)
    np.testing.assert_allclose(luma[1][80], LUMA, atol=1e-4)
    expected = jpeg_tables.quality_table(80, base=ANNEX_K_CHROMINANCE)
    np.testing.assert_allclose(cb[1][80], expected, atol=1e-4)


def test_a_map_is_averaged_for_chroma(components):
    quality = np.random.default_rng(0).uniform(50, 90, (40, 56)).astype(np.float32)
    luma, cb, cr = (entry for entry, _ in inputs_of(components, AssumedQuality.from_array(quality)))
    np.testing.assert_array_equal(luma[:, :], quality)
    expected = quality.reshape(20, 2, 28, 2).mean(axis=(1, 3))
    for entry in (cb, cr):
        assert not isinstance(entry, Constant)
        np.testing.assert_allclose(entry[:, :], expected, rtol=1e-6)


def test_planes_that_need_no_restoration_are_skipped(components, astronaut):
    assumed = AssumedQuality(np.float32(80))
    assert not inputs_of(components, assumed, strength=0)
    assert len(inputs_of(components, assumed, chroma=False)) == 1
    gray = split(np.repeat(astronaut[:40, :56, :1], 3, axis=2))
    assert len(inputs_of(gray, assumed)) == 1
    groups = planning.grouped_network_inputs(components, assumed, request(), AGARNetConfig())
    assert [len(group) for group in groups] == [1, 2]
    full = split(astronaut[:40, :56], subsampling=Subsampling.S444)
    (group,) = planning.grouped_network_inputs(full, assumed, request(), AGARNetConfig())
    assert len(group) == 3


@pytest.mark.parametrize(("step", "strength", "expected"), [(1, 0.2, 1), (200, 1.5, 255)])
def test_steps_stay_in_the_range_of_a_table_whatever_the_strength(
    components, step, strength, expected
):
    table = np.full((8, 8), step)
    (_, tables), *_ = inputs_of(
        components, AssumedQuality(np.float32(80)), table=table, strength=strength
    )
    np.testing.assert_allclose(tables[80], np.full((8, 8), expected), atol=1e-4)


@pytest.mark.parametrize(("strength", "fraction"), [(0.5, 0.5), (1, 1), (1.5, 1)])
def test_less_strength_adds_less_of_lumas_detail(components, strength, fraction):
    assumed = AssumedQuality(np.float32(80))
    settings = planning.detail_settings(components, assumed, request(strength=strength))
    assert settings == Detail(fraction, 80)


def test_detail_depends_on_the_mean_quality_and_needs_restored_chroma(components, astronaut):
    pixelwise = np.full(components.size, 30, np.float32)
    pixelwise[:, ::2] = 50
    assumed = AssumedQuality.from_array(pixelwise)
    assert planning.detail_settings(components, assumed, request()) == Detail(1, 40)
    assert planning.detail_settings(components, assumed, request(strength=0)) is None
    gray = split(astronaut[:40, :56, 0])
    assert planning.detail_settings(gray, assumed, request()) is None
