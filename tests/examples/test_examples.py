"""Runs every example as a user does: from model and image to an image that matches `Restorer`.

The one for Node.js needs npm, which installs onnxruntime-node into `.venv-node` once (30 s and
290 MB); without it, it is skipped, or fails where `CI=true`.
"""

import io
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from agarnet_jax import weights
from agarnet_jax.export import formats
from agarnet_jax.restoration import Restorer

PYTHON_EXAMPLES = {
    "onnx_onnxruntime": "onnx",
    "onnx_openvino": "onnx",
    "stablehlo_jax": "stablehlo",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """format → an exported file of the shipped weights."""
    folder = tmp_path_factory.mktemp("models")

    def model(name: str) -> pathlib.Path:
        path = folder / name
        if not path.exists():
            trained = weights.load("tiny")
            formats.save(trained, path, file_format=name, part="blind_uint8", name="tiny")
        return path

    return model


@pytest.fixture(scope="module")
def picture(astronaut, tmp_path_factory):
    """A grayscale photograph at JPEG quality 20, as PNG; its sides are not multiples of 8."""
    luma = Image.fromarray(astronaut).convert("L").crop((120, 0, 274, 125))
    buffer, path = io.BytesIO(), tmp_path_factory.mktemp("pictures") / "in.png"
    luma.save(buffer, "JPEG", quality=20)
    Image.open(buffer).save(path)
    return path


@pytest.fixture(scope="module")
def expected(picture):
    """Restored by the library, padded as the examples pad it."""
    luma = np.asarray(Image.open(picture))
    height, width = luma.shape
    padded = np.pad(luma, ((0, -height % 8), (0, -width % 8)), mode="edge")
    result = Restorer.from_pretrained("tiny", use_traces=False).restore(padded)
    return result.image[:height, :width], float(result.quality_map[0, 0])


def run(command, expected, out):
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=out.parent)
    assert result.returncode == 0, result.stderr
    image, quality = expected
    assert float(result.stdout.removeprefix("quality ")) == pytest.approx(quality, abs=0.01)
    with Image.open(out) as written:
        assert written.mode == "L"
        difference = np.abs(np.asarray(written).astype(int) - image)
    assert difference.max() <= 1
    assert (difference != 0).mean() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", PYTHON_EXAMPLES)
def test_python_examples_match_the_restorer(repository, model, picture, expected, tmp_path, name):
    code = "import runpy, sys; sys.modules['agarnet_jax'] = None; "
    code += "sys.modules['openvino_telemetry'] = None; sys.argv = sys.argv[1:];"
    code += "runpy.run_path(sys.argv[0])"
    example, out = repository / "examples" / f"{name}.py", tmp_path / "out.png"
    file = model(PYTHON_EXAMPLES[name])
    run([sys.executable, "-c", code, example, file, picture, out], expected, out)


@pytest.mark.parametrize("name", [*PYTHON_EXAMPLES, "safetensors_numpy"])
def test_without_arguments_the_usage_is_one_line(repository, name):
    command = [sys.executable, repository / "examples" / f"{name}.py"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert f"python {name}.py MODEL " in line


@pytest.mark.parametrize("name", PYTHON_EXAMPLES)
def test_float_parts_are_refused(repository, picture, tmp_path, name):
    path, trained = tmp_path / "model", weights.load("tiny")
    formats.save(trained, path, file_format=PYTHON_EXAMPLES[name], part="estimator")
    command = [sys.executable, repository / "examples" / f"{name}.py", path, picture, "out.png"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 1
    assert (
        result.stderr == f"{path} does not take uint8 images; export it with --part blind_uint8.\n"
    )


@pytest.fixture(scope="module")
def node_folder(repository, find_program):
    """A folder with the packages of `examples/package.json` installed."""
    npm = find_program("npm")
    folder, wanted = repository / ".venv-node", repository / "examples" / "package.json"
    installed = folder / "installed.json"  # written when all is there
    if not installed.exists() or installed.read_text() != wanted.read_text():
        folder.mkdir(exist_ok=True)
        shutil.copy(wanted, folder)
        command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run([*command, "--no-package-lock"], cwd=folder, check=True)
        shutil.copy(wanted, installed)
    return folder


@pytest.mark.slow
def test_node_example_matches_the_restorer(
    repository, node_folder, model, picture, expected, tmp_path
):
    """Node searches for packages in the script's folder."""
    script = shutil.copy(repository / "examples" / "onnx_node.mjs", node_folder)
    out = tmp_path / "out.png"
    run(["node", script, model("onnx"), picture, out], expected, out)
