"""Without the packages of its extra, a program says on one line what to install."""

import subprocess
import sys

import pytest

_WITHOUT = """
import runpy, sys
_, missing, program, *flags = sys.argv
sys.argv = ["-m", *flags]  # as `python -m` sets it while it looks for the program
sys.modules[missing] = None
runpy.run_module(program, run_name="__main__", alter_sys=True)
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


def test_a_corpus_worker_needs_only_beam(repository):
    """Dataflow workers have Beam and this package, but not its extras."""
    code = "import sys; sys.modules['ml_collections'] = None; import experiments.restoring.pipeline"
    subprocess.run([sys.executable, "-c", code], cwd=repository, check=True)
