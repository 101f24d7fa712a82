"""Programs without the packages of their extras say on one line what to install."""

import subprocess
import sys

import pytest

_WITHOUT = """
import runpy, sys
missing, *sys.argv = sys.argv[1:]
sys.modules[missing] = None
runpy.run_module(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("program", "missing", "extra"),
    [
        ("experiments.train", "ml_collections", "train"),
        ("experiments.export", "ml_collections", "train"),
        ("experiments.sweep", "optuna", "sweep"),
        ("experiments.demo", "skimage", "demo"),
        ("experiments.prepare", "apache_beam", "beam"),
    ],
)
def test_a_missing_extra_is_named(tmp_path, program, missing, extra):
    ended = subprocess.run(
        [sys.executable, "-c", _WITHOUT, missing, program, "--out=demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ended.returncode != 0
    (line,) = ended.stderr.splitlines()
    assert f"pip install 'agarnet-jax[{extra}]'" in line
