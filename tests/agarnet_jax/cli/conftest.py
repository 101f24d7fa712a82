"""Runs the command in this process; fixture `fake` replaces the restorer."""

import typing

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.cli import inspect, main, restore
from agarnet_jax.restoration import Restored


class FakeRestorer:
    """Mirrors images, and reports quality 42."""

    def restore(self, image, **_):
        return Restored(
            image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
            np.full((image.height, image.width), 42, np.float32),
        )


class FakeRestorers:
    """Replaces `cli.restorers.Restorers`."""

    requested_by: typing.ClassVar[list[int]] = []
    restorer: object = FakeRestorer()

    def __init__(self, weights, *, workers):
        self.weights, self.workers = weights, workers

    def __call__(self, number):
        self.requested_by.append(number)
        return self.restorer


@pytest.fixture
def fake(monkeypatch):
    """Replaces the restorer by `restorer`; `requested_by` lists the workers that asked for it."""
    monkeypatch.setattr(FakeRestorers, "requested_by", [])
    for module in (restore, inspect):
        monkeypatch.setattr(module, "Restorers", FakeRestorers)
    return FakeRestorers


@pytest.fixture
def agarnet(capsys):
    """Runs the command; returns its exit code and the lines of standard output and error."""

    def agarnet(*arguments):
        code = main.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return agarnet


@pytest.fixture
def refused(agarnet):
    """Runs a command that must exit with 2; returns its one line of error."""

    def refused(*arguments):
        code, out, err = agarnet(*arguments)
        assert (code, out) == (2, [])
        (line,) = err
        assert line.startswith("agarnet: ")
        return line

    return refused


@pytest.fixture(scope="session")
def jpeg(astronaut, encode):
    """Contents of a JPEG file of 64×48 pixels."""
    return encode(astronaut[:48, 200:264], 25)
