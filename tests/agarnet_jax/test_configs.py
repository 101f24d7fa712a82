"""Plain values are converted to typed configurations, or raise one-line errors."""

import dataclasses
import enum
import json

import jax
import numpy as np
import pytest

from agarnet_jax import color, jpeg_tables, metrics
from agarnet_jax.configs import Config, from_plain, to_plain
from agarnet_jax.models import CellPlacement, mean_over_area, quality_map
from agarnet_jax.models.estimator import cell_grid
from agarnet_jax.training.warm_start import InitialFit, check_initial_params, load_initial_params
from data_pipelines.degradations.tables import Component, TableFamily, encoder_table


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass(frozen=True)
class Inner:
    fraction: float = 0.5
    name: str = "x"

    def __post_init__(self):
        if self.fraction > 1:
            raise ValueError(f"Inner.fraction is {self.fraction}.")


@dataclasses.dataclass(frozen=True)
class Outer(Config):
    count: int = 1
    on: bool = False
    colour: Colour = Colour.RED
    pair: tuple[int, float] = (1, 2.0)
    pairs: tuple[tuple[int, int], ...] = ()
    inner: Inner = Inner()


FULL = Outer(3, True, Colour.BLUE, (4, 0.5), ((1, 2), (3, 4)), Inner(0.25, "y"))


def test_configuration_survives_a_round_trip_through_json():
    assert from_plain(Outer, json.loads(json.dumps(to_plain(FULL)))) == FULL
    assert from_plain(Outer, {}) == Outer()


def test_values_are_converted_to_the_types_of_their_fields():
    config = from_plain(Outer, {"pair": [1, 2], "inner": {"fraction": 1}, "colour": Colour.BLUE})
    assert isinstance(config.pair[1], float)
    assert isinstance(config.inner.fraction, float)
    assert config.colour is Colour.BLUE
    assert Outer(pairs=[[1, 2]], colour="blue") == Outer(pairs=((1, 2),), colour=Colour.BLUE)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"cuont": 2}, "There is no c.cuont; nearest: count."),
        ({"xyz": 2}, "There is no c.xyz; choose one of: count, on, colour, pair, pairs, inner."),
        ({"inner": {"fractions": 1}}, "There is no c.inner.fractions; nearest: fraction."),
        ({"count": 2.0}, "c.count is 2.0; it must be an integer."),
        ({"count": True}, "c.count is True; it must be an integer."),
        ({"count": None}, "c.count is None; it must be an integer."),
        ({"on": "yes"}, "c.on is 'yes'; it must be True or False."),
        ({"on": 1}, "c.on is 1; it must be True or False."),
        ({"colour": "bleu"}, "c.colour is 'bleu'; nearest: blue."),
        ({"colour": 7}, "c.colour is 7; choose one of: red, blue."),
        ({"pair": 1}, "c.pair is 1; it must be a sequence, such as (1, 2)."),
        ({"pair": (1,)}, "c.pair is (1,); it must have 2 elements."),
        ({"pair": "12"}, "c.pair is '12'; it must be a sequence, such as (1, 2)."),
        ({"pairs": ((1, 2), (1, "b"))}, "c.pairs[1][1] is 'b'; it must be an integer."),
        ({"inner": {"fraction": "1"}}, "c.inner.fraction is '1'; it must be a number."),
        ({"inner": {"fraction": False}}, "c.inner.fraction is False; it must be a number."),
        ({"inner": {"name": 3}}, "c.inner.name is 3; it must be a string."),
        ({"inner": 3}, "c.inner is 3; it must be a group of settings: fraction, name."),
        ({"inner": {"fraction": 2.0}}, "Inner.fraction is 2.0."),
    ],
)
def test_invalid_values_raise_one_line_errors_with_their_path(plain, message):
    with pytest.raises(ValueError) as raised:  # noqa: PT011, the whole message is compared
        from_plain(Outer, plain, path="c")
    assert str(raised.value) == message


def test_configurations_are_checked_when_constructed():
    with pytest.raises(ValueError, match=r"^Outer.count is 'a'; it must be an integer.$"):
        Outer(count="a")


IMAGES = np.random.default_rng(0).random((2, 1, 16, 16, 1), np.float32)
CELLS = np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1)
NARROW, WIDE = {"a": np.ones(2), "b": np.ones(1)}, {"a": np.zeros(3), "b": np.zeros(1)}
ENUM_FUNCTIONS = {
    "to_levels": (metrics.Rounding, lambda how: metrics.to_levels(IMAGES, rounding=how)),
    "psnr": (metrics.Rounding, lambda how: metrics.psnr(*IMAGES, rounding=how)),
    "psnr_b": (metrics.Rounding, lambda how: metrics.psnr_b(*IMAGES, rounding=how)),
    "ssim": (metrics.SsimWindow, lambda window: metrics.ssim(*IMAGES, window=window)),
    "quality_table": (
        jpeg_tables.TableScaling,
        lambda scaling: jpeg_tables.quality_table(31, scaling=scaling),
    ),
    "network_tables_by_quality": (
        jpeg_tables.TableScaling,
        jpeg_tables.network_tables_by_quality,
    ),
    "luma": (color.LumaRange, lambda kind: color.luma(np.zeros((2, 2, 3)), luma_range=kind)),
    "cell_grid": (CellPlacement, lambda placement: cell_grid(100, 70, placement)),
    "quality_map": (
        CellPlacement,
        lambda placement: quality_map(CELLS, height=100, width=70, placement=placement),
    ),
    "mean_over_area": (
        CellPlacement,
        lambda placement: mean_over_area(CELLS, height=100, width=70, placement=placement),
    ),
    "encoder_table of a family": (TableFamily, lambda family: encoder_table(family, 31)),
    "encoder_table of a component": (
        Component,
        lambda component: encoder_table(TableFamily.IJG, 31, component),
    ),
    "check_initial_params": (InitialFit, lambda how: check_initial_params(NARROW, WIDE, how)),
    "load_initial_params": (
        InitialFit,
        lambda how: load_initial_params(NARROW, jax.tree.map(jax.numpy.asarray, WIDE), how),
    ),
}


@pytest.mark.parametrize(("kind", "function"), ENUM_FUNCTIONS.values(), ids=ENUM_FUNCTIONS)
def test_enum_arguments_may_be_given_by_value(kind, function):
    def outcome(choice):
        try:
            return jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), function(choice))
        except ValueError as error:
            return str(error)

    outcomes = [outcome(choice) for choice in kind]
    assert outcomes[0] != outcomes[-1]  # the choice has an effect
    assert [outcome(choice.value) for choice in kind] == outcomes
    with pytest.raises(ValueError, match="is 'bogus'; choose one of: "):
        function("bogus")
