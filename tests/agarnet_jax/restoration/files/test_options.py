import pytest

from agarnet_jax.restoration.files.options import GridChoice, RestoreOptions
from agarnet_jax.restoration.request import QualitySource


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"quality": 0}, "quality is 0"),
        ({"quality": float("nan")}, "quality is nan"),
        ({"quality": "mop"}, "quality is 'mop'; nearest: map"),
        ({"grid": "bogus"}, "grid is 'bogus'; choose one of: auto, none, find"),
        ({"quality": "header", "grid": "find"}, "only for the grid at"),
        ({"strength": 1.6}, r"strength is 1\.6; use a number from 0 .* to 1\.5"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"ensemble": 4}, r"ensemble is 4; use 1 \(none\) or 8"),
        ({"bits": 12}, "bits is 12; use 8 or 16"),
        ({"max_pixels": 0}, "max_pixels is 0"),
    ],
)
def test_invalid_values_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        RestoreOptions(**values)


def test_enum_values_may_be_strings():
    named = RestoreOptions(quality="map", grid="find")
    assert (named.quality, named.grid) == (QualitySource.MAP, GridChoice.FIND)
    assert type(named.quality) is QualitySource
    assert type(named.grid) is GridChoice
    assert named.as_json() == RestoreOptions(quality=named.quality, grid=named.grid).as_json()


def test_json_differs_only_in_options_that_affect_the_result():
    assert RestoreOptions(quality=30).as_json() != RestoreOptions(quality=31).as_json()
    assert RestoreOptions(max_pixels=9).as_json() == RestoreOptions().as_json()
    assert RestoreOptions().as_json()["quality"] == "auto"
