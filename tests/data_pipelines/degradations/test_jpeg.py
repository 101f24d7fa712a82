import dataclasses

import numpy as np
import pytest

from agarnet_jax import jpeg_tables
from data_pipelines.degradations.jpeg import (
    EncoderOptions,
    Jpeg,
    QualityDensity,
    Subsampling,
    TableWeights,
)
from data_pipelines.degradations.tables import Component, TableFamily


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 95, 100])
def test_gray_images_equal_pillows_jpegs(gray_photo, pillow_jpeg, quality):
    degraded = Jpeg(quality).apply(gray_photo)
    np.testing.assert_array_equal(degraded.image, pillow_jpeg(gray_photo, quality))
    np.testing.assert_array_equal(degraded.clean, gray_photo)
    assert degraded.quality.tolist() == [[quality]]
    assert (degraded.table[0, 0] == jpeg_tables.quality_table(quality)).all()


@pytest.mark.parametrize("subsampling", Subsampling)
def test_color_images_equal_pillows_jpegs(astronaut, pillow_jpeg, subsampling):
    compressed = Jpeg(30, subsampling=subsampling).compress(astronaut)
    expected = pillow_jpeg(astronaut, 30, subsampling=subsampling.value)
    np.testing.assert_array_equal(compressed, expected)


def test_a_chroma_plane_is_quantized_with_the_chroma_table(gray_photo, pillow_jpeg):
    chroma = jpeg_tables.quality_table(20, base=jpeg_tables.ANNEX_K_CHROMINANCE)
    degraded = Jpeg(20, component=Component.CHROMA).apply(gray_photo)
    expected = pillow_jpeg(gray_photo, -1, qtables=[chroma.ravel().tolist()])
    np.testing.assert_array_equal(degraded.image, expected)
    assert (degraded.table[0, 0] == chroma).all()


def test_tables_of_other_families_are_written_to_the_file(gray_photo, pillow_jpeg):
    jpeg = Jpeg(40, TableFamily.CAMERA)
    expected = pillow_jpeg(gray_photo, -1, qtables=[jpeg.table.ravel().tolist()])
    np.testing.assert_array_equal(jpeg.compress(gray_photo), expected)
    assert jpeg.apply(gray_photo).quality.item() == jpeg.effective_quality != 40


def test_qualities_cover_the_range_and_the_grid():
    rng = np.random.default_rng(0)
    uniform = [QualityDensity(20, 30).draw(rng) for _ in range(2000)]
    assert set(uniform) == set(range(20, 31))
    density = QualityDensity(1, 100, grid=(10, 50), grid_share=0.5)
    drawn = [density.draw(rng) for _ in range(2000)]
    assert 0.45 < np.isin(drawn, (10, 50)).mean() < 0.58
    assert len(set(drawn)) > 80


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_the_exponent_gives_the_documented_distribution(exponent):
    rng = np.random.default_rng(0)
    density = QualityDensity(11, 50, exponent=exponent)
    drawn = [density.draw(rng) for _ in range(20_000)]
    counts, _ = np.histogram(drawn, bins=np.arange(10.5, 51, 8))
    expected = np.diff(np.linspace(0, 1, 6) ** (1 / exponent))
    # Five standard deviations of a fraction of 20,000 draws are at most 0.018.
    np.testing.assert_allclose(counts / 20_000, expected, atol=0.018)
    assert counts.sum() == 20_000


def test_rounding_does_not_exceed_the_maximum():
    class AlmostOne:
        def random(self):
            return 1 - 2**-53

    assert QualityDensity(exponent=1e-3).draw(AlmostOne()) == 100


def test_encoders_are_drawn_by_their_weights():
    rng = np.random.default_rng(0)
    options = EncoderOptions(tables=TableWeights(ijg=3, flat=1))
    drawn = [options.draw(rng, Component.CHROMA) for _ in range(2000)]
    families = [jpeg.family for jpeg in drawn]
    assert set(families) == {TableFamily.IJG, TableFamily.FLAT}
    assert 0.7 < families.count(TableFamily.IJG) / 2000 < 0.8
    assert {jpeg.component for jpeg in drawn} == {Component.CHROMA}
    assert {jpeg.subsampling for jpeg in drawn} == set(Subsampling)


def test_invalid_options_are_named():
    for bad in ({"minimum": 0}, {"maximum": 101}, {"grid": (0,)}):
        with pytest.raises(ValueError, match="1–100"):
            QualityDensity(**bad)
    with pytest.raises(ValueError, match="exceeds"):
        QualityDensity(60, 50)
    with pytest.raises(ValueError, match=r"exponent is 0\.0; it must be above 0"):
        QualityDensity(exponent=0)
    with pytest.raises(ValueError, match=r"grid is \(\) and grid_share 0.5; set both"):
        QualityDensity(grid_share=0.5)
    with pytest.raises(ValueError, match="at least one above 0"):
        TableWeights(ijg=0)
    with pytest.raises(ValueError, match="1 to 100"):
        dataclasses.replace(Jpeg(10), quality=0).compress(np.zeros((8, 8), np.uint8))
