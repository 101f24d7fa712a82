import io

import numpy as np
import pytest
from PIL import Image

from agarnet_jax import jpeg_tables
from agarnet_jax.jpeg_tables import TableScaling

# AGARNET.md §1b
SCALINGS_DIFFER = {9, *range(11, 17), 18, 19, *range(22, 25), *range(26, 40), *range(41, 49)}


def pillow_tables(quality):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", quality=quality)
    tables = Image.open(buffer).quantization
    return [np.array(tables[i]).reshape(8, 8) for i in (0, 1)]


@pytest.mark.parametrize("quality", [*range(1, 101, 7), 9, 49, 50, 51, 100])
def test_tables_equal_libjpegs(quality):
    luminance, chrominance = pillow_tables(quality)
    np.testing.assert_array_equal(jpeg_tables.quality_table(quality), luminance)
    np.testing.assert_array_equal(
        jpeg_tables.quality_table(quality, base=jpeg_tables.ANNEX_K_CHROMINANCE), chrominance
    )


def test_float_scaling_differs_for_the_documented_qualities():
    differing = {
        q
        for q in range(1, 101)
        if (
            jpeg_tables.quality_table(q) != jpeg_tables.quality_table(q, scaling=TableScaling.FLOAT)
        ).any()
    }
    assert differing == SCALINGS_DIFFER


def test_coefficient_orders_follow_the_standard_and_the_release():
    assert jpeg_tables.ZIGZAG[:7].tolist() == [0, 1, 8, 16, 9, 2, 3]
    assert jpeg_tables.ZIGZAG[-3:].tolist() == [55, 62, 63]
    assert jpeg_tables.TRANSPOSED_ZIGZAG[:7].tolist() == [0, 8, 1, 2, 9, 16, 24]
    assert sorted(jpeg_tables.ZIGZAG) == list(range(64))


def test_network_table_equals_the_released_one(golden):
    recorded = golden("restore_scalar_q10_astronaut96x128")["table"].ravel()
    table = jpeg_tables.quality_table(10, scaling=TableScaling.FLOAT)
    np.testing.assert_array_equal(jpeg_tables.network_table(table), recorded)


@pytest.mark.parametrize("quality", [1, 10, 50, 75, 95, 100])
def test_effective_quality_of_a_libjpeg_table_is_its_quality(quality):
    luminance, _ = pillow_tables(quality)
    assert jpeg_tables.effective_quality(luminance) == quality


@pytest.mark.parametrize("quality", [0, 101, 50.5, -3])
def test_invalid_quality_raises(quality):
    with pytest.raises(ValueError, match=r"1 to 100.*" + str(quality)):
        jpeg_tables.quality_table(quality)


def test_network_tables_by_quality_lists_all_qualities():
    base = jpeg_tables.ANNEX_K_CHROMINANCE
    tables = jpeg_tables.network_tables_by_quality(TableScaling.LIBJPEG, base=base)
    assert tables.shape == (101, 64)
    expected = jpeg_tables.quality_table(70, base=base)
    np.testing.assert_array_equal(tables[70], jpeg_tables.network_table(expected))
    np.testing.assert_array_equal(tables[0], tables[1])


def test_transposed_network_table_is_that_of_the_transpose():
    table = jpeg_tables.quality_table(35)
    table[0, 5] = 7  # makes it less symmetric
    transposed = jpeg_tables.transposed_network_table(jpeg_tables.network_table(table))
    np.testing.assert_array_equal(transposed, jpeg_tables.network_table(table.T))


def test_base_tables_may_have_any_integer_type():
    small = jpeg_tables.ANNEX_K_LUMINANCE.astype(np.uint8)
    assert jpeg_tables.effective_quality(jpeg_tables.quality_table(35), base=small) == 35


def test_effective_quality_is_the_highest_of_those_with_equal_tables():
    base = jpeg_tables.ANNEX_K_CHROMINANCE
    coarsest = jpeg_tables.quality_table(1, base=base)
    equal = [
        q
        for q in range(1, 101)
        if np.array_equal(jpeg_tables.quality_table(q, base=base), coarsest)
    ]
    assert len(equal) > 1
    assert jpeg_tables.effective_quality(coarsest, base=base) == max(equal)
