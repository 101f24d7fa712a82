import subprocess
import sys

import pytest

from agarnet_jax.color import LumaRange
from agarnet_jax.metrics import Rounding
from agarnet_jax.models import CellPlacement
from experiments.evaluating.models import RestorationOptions
from experiments.evaluating.settings import Settings, parse_qualities, parse_suites
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


FLAGS = """
import sys
from absl import flags
from experiments import evaluate
flags.FLAGS(sys.argv)
print(evaluate.settings())
"""


def test_flags_are_passed_on_as_settings(repository):
    given = {
        "weights": "w", "other_weights": "a=b", "baseline": "c=d", "suite": "gain", "data_dir": "e",
        "images": "f", "qualities": "7,9", "out": "g", "luma": "full", "rounding": "truncate",
        "estimator_cells": "released", "images_per_set": 3,
    }  # fmt: skip
    flags = (f"--{name}={value}" for name, value in given.items())
    command = [sys.executable, "-c", FLAGS, *flags, "--consistent", "--nouse_traces"]
    printed = subprocess.run(
        command, cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    expected = Settings(
        weights="w",
        other_weights=("a=b",),
        baselines=("c=d",),
        suites=("gain",),
        data_dir="e",
        images="f",
        qualities=(7, 9),
        out="g",
        luma_range=LumaRange.FULL,
        rounding=Rounding.TRUNCATE,
        cells=CellPlacement.RELEASED,
        images_per_set=3,
        restoration=RestorationOptions(consistent=True, use_traces=False),
    )
    assert printed.strip() == f"{expected}"
