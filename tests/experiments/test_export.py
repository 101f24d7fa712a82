"""`experiments.export` as a program."""

import pytest

from agarnet_jax import weights


def test_a_file_is_written_and_named(program, tmp_path):
    out = tmp_path / "tiny.safetensors"
    result = program(
        "experiments.export", "--format=safetensors", "--dtype=float16", f"--out={out}"
    )
    assert result.stdout.strip() == f"Wrote {out}."
    assert weights.load(out).restorer_config == weights.load("tiny").restorer_config


@pytest.mark.slow
def test_traced_formats_are_written(program, tmp_path):
    for name in ("onnx", "stablehlo"):
        options = "--part=restorer", "--quality=map", "--size=64x72"
        program("experiments.export", f"--format={name}", *options, f"--out={tmp_path / name}")
        assert (tmp_path / name).stat().st_size > 1e6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--format=onyx"], "format is 'onyx'; nearest: onnx."),
        (["--format=onnx", "--part=whole"], "part is 'whole'; choose one of: blind,"),
        (["--format=onnx", "--size=64x60"], "width is 60; use a multiple of 8"),
        (["--format=onnx", "--weights=typo"], "No weights 'typo'"),
    ],
)
def test_errors_are_one_line(program, tmp_path, options, words):
    result = program("experiments.export", *options, f"--out={tmp_path / 'x'}", fails=True)
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
