import numpy as np
import pytest

from agarnet_jax.jpeg_tables import effective_quality
from agarnet_jax.restoration.traces import table_law
from agarnet_jax.restoration.traces.coefficient_sample import LOW_FREQUENCIES
from data_pipelines.degradations.tables import TableFamily, encoder_table


def low(table):
    return np.asarray(table).ravel()[LOW_FREQUENCIES]


@pytest.mark.parametrize("family", TableFamily)
@pytest.mark.parametrize("setting", [20, 40, 60, 80, 90])
def test_the_rest_of_a_table_follows_from_its_beginning(family, setting):
    table = encoder_table(family, setting)
    assert table_law.quality(low(table)) == pytest.approx(effective_quality(table), abs=2)


def test_steps_that_were_misread_or_do_not_show_do_not_count():
    table = encoder_table(TableFamily.CAMERA, 60)
    expected, found = table_law.quality(low(table)), low(table).astype(int)
    found[[3, 11]] *= 2
    found[[5, 14, 19]] = 0
    assert table_law.quality(found) == pytest.approx(expected, abs=1)
    found[[1, 8]] = 1  # hidden
    assert table_law.quality(found) == pytest.approx(expected, abs=1)


def test_steps_without_order_have_no_quality():
    random = np.random.default_rng(0).integers(2, 12, (300, 20))
    assert sum(table_law.quality(found) is not None for found in random) < 10
    few = np.zeros(20, int)
    few[:7] = 5
    assert table_law.quality(few) is None
    assert table_law.quality(np.zeros(20, int)) is None
