import numpy as np
import pytest

from agarnet_jax.jpeg_tables import effective_quality
from agarnet_jax.restoration.traces import table_fit
from agarnet_jax.restoration.traces.block_sample import LOW_FREQUENCIES
from data_pipelines.degradations.tables import TableFamily, encoder_table


def low_frequency_steps(table):
    return np.asarray(table).ravel()[LOW_FREQUENCIES]


@pytest.mark.parametrize("family", TableFamily)
@pytest.mark.parametrize("setting", [20, 40, 60, 80, 90, 98])
def test_a_table_is_fitted_from_its_low_frequencies(family, setting):
    table = encoder_table(family, setting)
    assert table_fit.quality(low_frequency_steps(table)) == pytest.approx(
        effective_quality(table), abs=2
    )


def test_misread_and_undetected_steps_are_ignored():
    table = encoder_table(TableFamily.CAMERA, 60)
    steps = low_frequency_steps(table).astype(int)
    expected = table_fit.quality(steps)
    steps[[3, 11]] *= 2
    steps[[5, 14, 19]] = 0
    assert table_fit.quality(steps) == pytest.approx(expected, abs=1)
    steps[[1, 8]] = 1  # hidden
    assert table_fit.quality(steps) == pytest.approx(expected, abs=1)


def test_random_or_too_few_steps_have_no_quality():
    random = np.random.default_rng(0).integers(2, 12, (300, 20))
    assert sum(table_fit.quality(steps) is not None for steps in random) < 10
    few = np.zeros(20, int)
    few[:7] = 5
    assert table_fit.quality(few) is None
    assert table_fit.quality(np.zeros(20, int)) is None
