import pytest

from experiments.evaluating.settings import parse_qualities, parse_suites
from experiments.evaluating.suites import SUITES


def test_qualities_are_numbers_and_inclusive_ranges():
    assert parse_qualities(["40", "10"]) == (10, 40)
    assert parse_qualities(["10:95:5"]) == tuple(range(10, 100, 5))
    assert parse_qualities(["1", "90:100:5", "95"]) == (1, 90, 95, 100)


@pytest.mark.parametrize("text", ["0", "101", "ten", "10:20", "10:20:0", "20:10:5", "1:2:3:4", ""])
def test_an_invalid_quality_is_named(text):
    with pytest.raises(ValueError, match=rf"--qualities has '{text}'; expected .*10:95:5"):
        parse_qualities(["10", text])


def test_suites_are_ordered_and_all_is_every_suite():
    assert parse_suites(["all"]) == SUITES
    assert parse_suites(["gain", "table2", "gain"]) == ("table2", "gain")
    with pytest.raises(ValueError, match="no suite 'tabel2'; nearest: table"):
        parse_suites(["tabel2"])
