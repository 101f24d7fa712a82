"""StableHLO files, in processes that have JAX and nothing of ours."""

import json
import subprocess
import sys
import zipfile

import jax.export
import numpy as np
import pytest

from agarnet_jax.export import stablehlo

# Calls MODEL with the arrays of IN.npz by name, batch after batch; writes OUT.npz.
JAX_ALONE = """
import sys
for ours in ("agarnet_jax", "flax", "experiments"):
    sys.modules[ours] = None
import zipfile, jax.export, numpy as np
model, source, destination, *names = sys.argv[1:]
with zipfile.ZipFile(model) as archive:
    function = jax.export.deserialize(bytearray(archive.read("function.bin")))
call = jax.jit(function.call)
with np.load(source) as inputs:
    count = len(inputs) // len(names)
    results = [call(*(inputs[f"{name}{i}"] for name in names)) for i in range(count)]
np.savez(destination, **{f"{name}{i}": v for i, r in enumerate(results) for name, v in r.items()})
"""


@pytest.fixture
def call_alone(tmp_path):
    """(file, inputs by name for each call) → outputs of each call."""

    def call_alone(path, *calls):
        inputs = {
            f"{name}{i}": value for i, call in enumerate(calls) for name, value in call.items()
        }
        np.savez(tmp_path / "in.npz", **inputs)
        command = [sys.executable, "-c", JAX_ALONE, path, tmp_path / "in.npz", tmp_path / "out.npz"]
        result = subprocess.run([*command, *calls[0]], capture_output=True, text=True, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        with np.load(tmp_path / "out.npz") as outputs:
            return [
                {name[:-1]: outputs[name] for name in outputs if name.endswith(f"{i}")}
                for i in range(len(calls))
            ]

    return call_alone


@pytest.fixture(scope="session")
def small_file(small_weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("stablehlo") / "small.stablehlo"
    stablehlo.save(small_weights, path, name="small")
    return path


def test_one_file_works_for_all_sizes(call_alone, small_file, reference, batch):
    images = [batch(72, 104), batch(8, 24)[:1]]
    for image, actual in zip(images, call_alone(small_file, *({"image": i} for i in images))):
        expected = reference("blind", image)
        assert actual.keys() == expected.keys()
        np.testing.assert_allclose(actual["restored"], expected["restored"], atol=2e-5)
        for name in ("quality_map", "quality"):
            np.testing.assert_allclose(actual[name], expected[name], rtol=2e-5)


def test_restorer_alone_takes_quality(call_alone, small_weights, reference, batch, tmp_path):
    path = tmp_path / "restorer.stablehlo"
    stablehlo.save(small_weights, path, part="restorer", dtype="float16")
    quality = np.array([10, 90], np.float32).reshape(2, 1, 1, 1)
    image = batch(72, 104)
    (actual,) = call_alone(path, {"image": image, "quality": quality})
    expected = reference("restorer", image, quality, dtype="float16")
    np.testing.assert_allclose(actual["restored"], expected["restored"], atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "atol"), [("float32", 2e-5), ("float16", 5e-3)])
def test_shipped_weights_match_jax_on_photographs(
    call_alone, shipped, photograph, assert_restored_as_by_jax, tmp_path, dtype, atol
):
    stablehlo.save(shipped, tmp_path / "tiny.stablehlo", name="tiny", dtype=dtype)
    cases = ((64, 64, 10), (136, 72, 40), (256, 320, 80))
    inputs = ({"image": photograph(*case)} for case in cases)
    for case, actual in zip(cases, call_alone(tmp_path / "tiny.stablehlo", *inputs)):
        assert_restored_as_by_jax(case, actual["restored"], atol=atol)


def test_one_file_works_for_all_platforms(small_file):
    with zipfile.ZipFile(small_file) as archive:
        assert archive.testzip() is None
        contents = archive.read("function.bin")
        function = jax.export.deserialize(bytearray(contents))
        about = json.loads(archive.read("metadata.json"))
    assert b".py" not in contents  # nothing of the machine that wrote it
    assert function.platforms == ("cpu", "cuda", "tpu")
    assert about["platforms"] == "cpu, cuda, tpu"
    assert about["jax"] == jax.__version__
    assert about["name"] == "agarnet-small"
    assert json.loads(about["inputs"])[0]["shape"] == ["batch", "height", "width", 1]


@pytest.mark.parametrize("shape", [(1, 64, 100, 1), (1, 0, 64, 1), (64, 64)])
def test_invalid_shapes_are_refused(small_file, shape):
    with zipfile.ZipFile(small_file) as archive:
        function = jax.export.deserialize(bytearray(archive.read("function.bin")))
    with pytest.raises(ValueError, match=r"shape|Rank"):
        function.call(np.zeros(shape, np.float32))


def test_missing_package_is_named(monkeypatch, small_weights, tmp_path):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(ValueError, match=r"pip install 'agarnet-jax\[export-stablehlo\]'"):
        stablehlo.save(small_weights, tmp_path / "x")
    assert not list(tmp_path.iterdir())
