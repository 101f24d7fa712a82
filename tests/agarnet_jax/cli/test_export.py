"""`agarnet export`, mostly in a format that needs no extra."""

import numpy as np
import pytest
import safetensors.numpy

from agarnet_jax import weights
from agarnet_jax.cli.main import main
from agarnet_jax.export import onnx


def test_the_shipped_network_is_exported(tmp_path, capsys):
    path = tmp_path / "tiny.safetensors"
    assert main(["export", "--format", "safetensors", "-o", str(path)]) == 0
    assert f"Wrote {path}" in capsys.readouterr().out
    tensors = safetensors.numpy.load_file(path)
    blend = weights.load("tiny").restorer_params["blend"]
    np.testing.assert_array_equal(tensors["restorer/blend"], blend)


def test_a_single_part_is_exported(tmp_path):
    path = tmp_path / "estimator.safetensors"
    options = "--format", "safetensors", "--part", "estimator"
    assert main(["export", *options, "-o", str(path)]) == 0
    assert {name.split("/")[0] for name in safetensors.numpy.load_file(path)} == {"estimator"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "512"], "size is '512'; give height and width like 512x768"),
        (["--weights", "typo"], "No weights 'typo'"),
        (["--size", "60x64"], "60"),
    ],
)
def test_invalid_arguments_are_refused_in_one_line(tmp_path, capsys, arguments, message):
    path = tmp_path / "out"
    assert main(["export", "--format", "stablehlo", "-o", str(path), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not path.exists()


def test_a_stream_is_refused_as_output(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["export", "--format", "safetensors", "-o", "-"]) == 2
    assert "'-' is not a path; give a file" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "reason"), [("", "Is a directory"), ("missing/x.onnx", "No such file or directory")]
)
def test_an_unwritable_output_is_reported_before_exporting(
    tmp_path, capsys, monkeypatch, name, reason
):
    monkeypatch.setattr(onnx, "save", lambda *_, **__: pytest.fail("the network was traced"))
    path = tmp_path / name
    assert main(["export", "--format", "onnx", "-o", str(path)]) == 2
    error = capsys.readouterr().err
    assert error == f"agarnet: '{path}' cannot be written: {reason}; name another file.\n"
