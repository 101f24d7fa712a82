"""`--config=FILE` and its overrides: every error is a one-line message."""

import subprocess
import sys

import pytest
from absl import flags

from experiments.config_file import ConfigFileParser

SMOKE = "experiments/configs/smoke.py"


@pytest.fixture
def parse(repository, monkeypatch):
    """Returns a function (file, *overrides) → the configuration or the error message."""
    monkeypatch.chdir(repository)

    def parse(file, *overrides):
        monkeypatch.setattr(sys, "argv", ["program", f"--config={file}", *overrides])
        try:
            return ConfigFileParser().parse(str(file))
        except flags.Error as error:
            return str(error)

    return parse


def test_a_valid_file_is_loaded_and_locked(parse):
    config = parse(SMOKE, "--config.train.steps=3", "--noconfig.model.remat")
    assert config.train.batch_size == 8
    assert config.is_locked


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("--config.train.stepz=3", "There is no config.train.stepz; nearest: train.steps"),
        ("--config.learning_rate=3", "There is no config.learning_rate; nearest: train.learning_r"),
        ("-config.date.crop=8", "There is no config.date.crop; nearest: data.crop"),
        ("--noconfig.model.remta", "There is no config.model.remta; nearest: model.remat"),
        ("--config.data.degradation.mixture.mosiac=1", "nearest: data.degradation.mixture.mosaic"),
        ("--config.train.zzzzzz=1", "There is no config.train.zzzzzz; choose one of: "),
        ("--config.train.steps.x=1", "config.train.steps is a single setting and has no 'x'."),
    ],
)
def test_an_unknown_override_names_the_nearest_setting(parse, override, message):
    (line,) = parse(SMOKE, override).splitlines()
    assert message in line


def test_a_sequence_given_twice_is_rejected(parse):
    """The flag would append the second one; every other setting takes its last value."""
    twice = "--config.data.eval_qualities=(10,)", "--config.data.eval_qualities=(20,)"
    assert parse(SMOKE, *twice) == "--config.data.eval_qualities is given twice; give it once."
    parse(SMOKE, "--config.train.steps=3", "--config.train.steps=4")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("config.train.stepz = 3", 'Did you mean "steps" instead of "stepz"?'),
        ("config.train.steps = 'abc'", "cannot be casted to type <class 'int'>"),
        ("config.train.steps = 2.5", "2.5 is of original type <class 'float'>"),
        ("raise ValueError('no luck')", "no luck"),
    ],
)
def test_an_invalid_line_of_a_file_is_named(parse, tmp_path, line, message):
    file = tmp_path / "bad.py"
    file.write_text(
        "from experiments.config import default_config\n"
        "def get_config():\n"
        "    config = default_config('restorer')\n"
        f"    {line}\n"
        "    return config\n"
    )
    error = parse(file)
    assert error.startswith(f"{file}, line 4: ")
    assert message in error
    assert len(error) < 300


def test_a_missing_or_invalid_file_is_named(parse, tmp_path):
    assert "There is no configuration file" in parse("experiments/configs/smoe.py")
    assert "must end in .py" in parse("experiments/configs/smoke")
    (tmp_path / "empty.py").touch()
    assert "get_config" in parse(tmp_path / "empty.py")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--config.train.stepz=3",), "nearest: train.steps"),
        (("--config.train.steps=abc",), "flag --config.train.steps=abc"),
        (("--config.model.conv2d=nativ",), "config.model.conv2d is 'nativ'; nearest: native"),
        (("--cofnig=x",), "Unknown command line flag 'cofnig'. Did you mean: config"),
    ],
)
def test_programs_print_only_the_one_line_message(repository, tmp_path, arguments, message):
    command = ["-m", "experiments.inspect_data", f"--config={SMOKE}", f"--out={tmp_path / 'out'}"]
    result = subprocess.run(
        [sys.executable, *command, *arguments], cwd=repository, capture_output=True, text=True
    )
    (line,) = result.stderr.strip().splitlines()
    assert message in line
    assert result.returncode == 1
    assert not (tmp_path / "out").exists()
