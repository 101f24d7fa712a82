"""`experiments.export` as a program."""

import json

import onnx
import pytest

from agarnet_jax import weights


def test_a_file_is_written_and_named(program, tmp_path):
    out = tmp_path / "tiny.safetensors"
    result = program(
        "experiments.export", "--format=safetensors", "--dtype=float16", f"--out={out}"
    )
    assert result.stdout.strip() == f"Wrote {out}."
    assert weights.load(out).restorer_config == weights.load("tiny").restorer_config


def test_every_option_is_passed_on(program, tmp_path):
    out = tmp_path / "restorer.onnx"
    options = "--part=restorer", "--quality=map", "--dtype=float16", "--licence=own", "--size=64x72"
    program("experiments.export", "--format=onnx", *options, f"--out={out}")
    about = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    expected = {"part": "restorer", "quality": "map", "parameters": "float16", "licence": "own"}
    assert about.items() >= expected.items()
    image, quality = json.loads(about["inputs"])
    assert image["shape"] == quality["shape"] == ["batch", 64, 72, 1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--format=onyx"], "format is 'onyx'; nearest: onnx."),
        (["--format=onnx", "--weights=typo"], "No weights 'typo'"),
    ],
)
def test_errors_are_one_line(program, tmp_path, options, words):
    result = program("experiments.export", *options, f"--out={tmp_path / 'x'}", fails=True)
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
