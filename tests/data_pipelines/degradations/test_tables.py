import itertools

import numpy as np
import pytest

from agarnet_jax.jpeg_tables import effective_quality, quality_table
from data_pipelines.degradations.effective import effective_quality_of
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.tables import Component, TableFamily, encoder_table

OTHERS = [family for family in TableFamily if family is not TableFamily.IJG]


@pytest.mark.parametrize("family", TableFamily)
@pytest.mark.parametrize("component", Component)
def test_tables_are_valid_and_finer_at_higher_quality(family, component):
    tables = [encoder_table(family, q, component).astype(int) for q in range(1, 101)]
    assert all(table.min() >= 1 and table.max() <= 255 for table in tables)
    assert all((a >= b).all() for a, b in itertools.pairwise(tables))
    assert tables[0].sum() > tables[50].sum() > tables[95].sum()


def test_other_families_have_no_ijg_tables_at_medium_qualities():
    ijg = {quality_table(q).tobytes() for q in range(1, 101)}
    for family in OTHERS:
        for quality in (20, 50, 80):
            assert encoder_table(family, quality).astype(np.int64).tobytes() not in ijg


@pytest.mark.parametrize("family", OTHERS)
@pytest.mark.parametrize("quality", [10, 50, 75, 90])
def test_effective_quality_predicts_the_error_on_a_photograph(astronaut, family, quality):
    image = astronaut[..., 1]
    measured = effective_quality_of(image, Jpeg(quality, family).compress(image))
    # The model does not see the image: photographs deviate by up to 17 where tables differ most
    # from IJG's (docs/data.md).
    assert abs(effective_quality(encoder_table(family, quality)) - measured) <= 17


def test_steps_of_other_families_grow_with_frequency_by_rule():
    """At quality 50, tables equal their base: 16 for DC, then the rule of the family."""
    assert (encoder_table(TableFamily.FLAT, 50) == 16).all()
    camera = encoder_table(TableFamily.CAMERA, 50).astype(float)
    # (0.6 + 0.12 · frequency)² of 16, in the corners: 0, 7, 7 and 7√2.
    expected = [[5.76, 33.18], [33.18, 51.17]]
    np.testing.assert_allclose(camera[::7, ::7], expected, atol=0.51)


def test_tables_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        encoder_table(TableFamily.IJG, 50)[0, 0] = 1


def test_the_editor_family_has_13_levels():
    tables = [encoder_table(TableFamily.EDITOR, quality).tobytes() for quality in range(1, 101)]
    assert len(set(tables)) == 13
    assert len({encoder_table(TableFamily.CAMERA, q).tobytes() for q in range(1, 101)}) > 50
