import io

import numpy as np
import pytest
from PIL import Image

from agarnet_jax import jpeg_tables
from agarnet_jax.jpeg_tables import TableScaling

# AGARNET.md §1b
SCALINGS_DIFFER = {9, *range(11, 17), 18, 19, *range(22, 25), *range(26, 40), *range(41, 49)}


def tables_written_by_pillow(quality):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", quality=quality)
    tables = Image.open(buffer).quantization
    return [np.array(tables[i]).reshape(8, 8) for i in (0, 1)]


@pytest.mark.parametrize("quality", [*range(1, 101, 7), 9, 49, 50, 51, 100])
def test_tables_equal_those_libjpeg_writes(quality):
    luminance, chrominance = tables_written_by_pillow(quality)
    np.testing.assert_array_equal(jpeg_tables.quality_table(quality), luminance)
    np.testing.assert_array_equal(
        jpeg_tables.quality_table(quality, base=jpeg_tables.ANNEX_K_CHROMINANCE), chrominance
    )


def test_float_scaling_differs_where_the_release_does():
    differing = {
        q
        for q in range(1, 101)
        if (
            jpeg_tables.quality_table(q) != jpeg_tables.quality_table(q, scaling=TableScaling.FLOAT)
        ).any()
    }
    assert differing == SCALINGS_DIFFER


def test_orders_begin_as_the_standard_and_the_release_do():
    assert jpeg_tables.ZIGZAG[:7].tolist() == [0, 1, 8, 16, 9, 2, 3]
    assert jpeg_tables.ZIGZAG[-3:].tolist() == [55, 62, 63]
    assert jpeg_tables.TRANSPOSED_ZIGZAG[:7].tolist() == [0, 8, 1, 2, 9, 16, 24]
    assert sorted(jpeg_tables.ZIGZAG) == list(range(64))


def test_network_table_equals_the_recorded_one(golden):
    recorded = golden("restore_scalar_q10_astronaut96x128")["table"].ravel()
    table = jpeg_tables.quality_table(10, scaling=TableScaling.FLOAT)
    np.testing.assert_array_equal(jpeg_tables.network_table(table), recorded)


@pytest.mark.parametrize("quality", [1, 10, 50, 75, 95, 100])
def test_effective_quality_finds_the_quality_of_a_file(quality):
    luminance, _ = tables_written_by_pillow(quality)
    assert jpeg_tables.effective_quality(luminance) == quality


def test_effective_quality_of_a_flat_table_is_between_the_extremes():
    assert 20 < jpeg_tables.effective_quality(np.full((8, 8), 40)) < 90


@pytest.mark.parametrize("quality", [0, 101, 50.5, -3])
def test_quality_out_of_range_is_named(quality):
    with pytest.raises(ValueError, match=r"1 to 100.*" + str(quality)):
        jpeg_tables.quality_table(quality)


def test_network_tables_of_every_quality():
    base = jpeg_tables.ANNEX_K_CHROMINANCE
    found = jpeg_tables.network_tables_by_quality(TableScaling.LIBJPEG, base=base)
    assert found.shape == (101, 64)
    expected = jpeg_tables.quality_table(70, base=base)
    np.testing.assert_array_equal(found[70], jpeg_tables.network_table(expected))
    np.testing.assert_array_equal(found[0], found[1])


def test_transposed_tables():
    table = jpeg_tables.quality_table(35)
    table[0, 5] = 7  # less symmetric
    turned = jpeg_tables.transposed_network_table(jpeg_tables.network_table(table))
    np.testing.assert_array_equal(turned, jpeg_tables.network_table(table.T))


def test_bases_of_any_integers_are_read():
    small = jpeg_tables.ANNEX_K_LUMINANCE.astype(np.uint8)
    assert jpeg_tables.effective_quality(jpeg_tables.quality_table(35), base=small) == 35


def test_of_qualities_with_one_table_the_highest_is_effective():
    base = jpeg_tables.ANNEX_K_CHROMINANCE
    coarsest = jpeg_tables.quality_table(1, base=base)
    same = [
        q
        for q in range(1, 101)
        if np.array_equal(jpeg_tables.quality_table(q, base=base), coarsest)
    ]
    assert len(same) > 1
    assert jpeg_tables.effective_quality(coarsest, base=base) == max(same)
