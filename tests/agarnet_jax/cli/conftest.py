"""The command in this process, with a fake restorer unless a test asks for the real one."""

import dataclasses
import typing

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.cli import inspect, main, restore


@dataclasses.dataclass(frozen=True)
class Restored:
    image: Image.Image
    quality_map: np.ndarray
    overruled: float | None = None


class FakeRestorer:
    """Mirrors pictures, and says the quality was 42."""

    def restore(self, image, **_):
        return Restored(
            image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
            np.full((image.height, image.width), 42, np.float32),
        )


class FakeRestorers:
    """In the place of `cli.restorers.Restorers`."""

    asked: typing.ClassVar[list[int]] = []
    restorer: object = FakeRestorer()

    def __init__(self, weights, *, workers):
        self.weights, self.workers = weights, workers

    def __call__(self, number):
        self.asked.append(number)
        return self.restorer


@pytest.fixture
def fake(monkeypatch):
    """Replaces the restorer; set its `restorer` to another, see in `asked` who got it."""
    monkeypatch.setattr(FakeRestorers, "asked", [])
    for module in (restore, inspect):
        monkeypatch.setattr(module, "Restorers", FakeRestorers)
    return FakeRestorers


@pytest.fixture
def agarnet(capsys):
    """Runs the command; returns its exit code and the lines it printed, out and err."""

    def agarnet(*arguments):
        code = main.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return agarnet


@pytest.fixture
def refused(agarnet):
    """Runs a command that must fail on its input; returns its one line."""

    def refused(*arguments):
        code, out, err = agarnet(*arguments)
        assert (code, out) == (2, [])
        (line,) = err
        assert line.startswith("agarnet: ")
        return line

    return refused


@pytest.fixture(scope="session")
def jpeg(astronaut, encode):
    """A JPEG file of 64×48 pixels."""
    return encode(astronaut[:48, 200:264], 25)
