"""Networks small enough to trace in a second, and compressed images of several sizes."""

import io
import json
import subprocess

import jax
import numpy as np
import pytest
from PIL import Image

from agarnet_jax import weights
from agarnet_jax.export import blind
from agarnet_jax.export.formats import Part
from agarnet_jax.models import AGARNet, AGARNetConfig, EstimatorConfig, QualityEstimator

# (height, width): less than a cell, cells to be filled by mirroring once and twice, whole cells.
SIZES = ((8, 24), (72, 104), (128, 64))


@pytest.fixture(scope="session")
def small_weights() -> weights.Weights:
    """Random weights with every kind of layer, whose quality and correction vary over the image."""
    blocks = {f"{name}_blocks": 1 for name in ("dct", "encoder1", "encoder2", "encoder4")}
    blocks |= {f"decoder{i}{kind}_blocks": 1 for i in (1, 2) for kind in ("", "_gated")}
    restorer = AGARNetConfig(
        pixel_features=4, dct_features=4, gate_features=8, correction_gate=True, **blocks
    )
    estimator = EstimatorConfig(features=(4, 4, 4, 4))
    image, key = np.zeros((1, 64, 64, 1), np.float32), jax.random.key(0)

    def perturbed(params):
        """Replaces zero-initialized parameters, which would hide errors in their layers."""
        rng = np.random.default_rng(1)
        return jax.tree.map(
            lambda p: np.asarray(p + 0.03 * rng.standard_normal(p.shape), np.float32), params
        )

    restorer_params = jax.jit(AGARNet(restorer).init)(key, image, quality=50.0)["params"]
    estimator_params = jax.jit(QualityEstimator(estimator).init)(key, image)["params"]
    return weights.Weights(
        restorer, perturbed(restorer_params), estimator, perturbed(estimator_params)
    )


@pytest.fixture(scope="session")
def reference(small_weights):
    """(part, options, inputs) → outputs of the small network's function in JAX, compiled once."""
    compiled = {}

    def reference(part: str, *inputs: np.ndarray, **options) -> dict[str, jax.Array]:
        key = (part, repr(options))
        if key not in compiled:
            compiled[key] = jax.jit(blind.functions(small_weights, **options)[Part(part)].call)
        return compiled[key](*inputs)

    return reference


@pytest.fixture(scope="session")
def shipped() -> weights.Weights:
    return weights.load("tiny")


@pytest.fixture(scope="session")
def compressed(astronaut):
    """(height, width, quality) → a JPEG-compressed photograph (height, width) uint8."""

    def compressed(height: int, width: int, quality: int) -> np.ndarray:
        luma = Image.fromarray(astronaut).convert("L").crop((120, 0, 120 + width, height))
        buffer = io.BytesIO()
        luma.save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer))

    return compressed


@pytest.fixture(scope="session")
def batch(compressed):
    """(height, width) → two compressed photographs (2, height, width, 1) float32."""

    def batch(height: int, width: int) -> np.ndarray:
        images = [compressed(height, width, quality) for quality in (10, 60)]
        return np.stack(images)[..., None].astype(np.float32) / 255

    return batch


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def size(request) -> tuple[int, int]:
    return request.param


@pytest.fixture(scope="session")
def psnr():
    """(clean, image) of [0, 1] → dB."""
    return lambda clean, image: -10 * np.log10(np.mean((np.float64(clean) - image) ** 2))


@pytest.fixture(scope="session")
def shipped_reference(shipped):
    """image → outputs of the blind function of the shipped weights in JAX."""
    return jax.jit(blind.functions(shipped)[Part.BLIND].call)


@pytest.fixture(scope="session")
def assert_agree():
    """(outputs, expected): atol for values in [0, 1]; a hundred times as much for qualities."""

    def assert_agree(actual, expected, *, atol: float = 2e-5) -> None:
        assert actual.keys() == expected.keys()
        for name, value in actual.items():
            assert value.dtype == expected[name].dtype
            assert value.shape == expected[name].shape
            scale = 1 if name == "restored" else 100
            np.testing.assert_allclose(value, expected[name], atol=scale * atol, err_msg=name)

    return assert_agree


@pytest.fixture(scope="session")
def assert_levels_agree():
    """(levels, expected): values halfway between two levels may be rounded either way."""

    def assert_levels_agree(actual, expected) -> None:
        assert actual.dtype == np.uint8
        difference = actual.astype(int) - np.asarray(expected)
        assert np.abs(difference).max() <= 1
        assert (difference != 0).mean() < 1e-3

    return assert_levels_agree


@pytest.fixture(scope="session")
def photograph(compressed):
    """(height, width, quality) → a compressed photograph (1, height, width, 1) float32."""
    return lambda *case: compressed(*case)[None, ..., None].astype(np.float32) / 255


@pytest.fixture(scope="session")
def assert_restored_as_by_jax(shipped_reference, photograph, compressed, psnr):
    """(case of `photograph`, restored by the shipped weights): close to JAX, with the same PSNR."""

    def assert_restored_as_by_jax(case, actual, *, atol: float) -> None:
        (height, width, _), image = case, photograph(*case)
        expected = shipped_reference(image)["restored"]
        assert np.abs(expected - image).max() > 0.03
        np.testing.assert_allclose(actual, expected, atol=atol)
        clean = compressed(height, width, 100)[None, ..., None] / 255
        assert abs(psnr(clean, actual) - psnr(clean, expected)) < 0.01

    return assert_restored_as_by_jax


@pytest.fixture(scope="session")
def golden_weights(small_weights, golden_params) -> weights.Weights:
    """The restorer of the golden vectors, with some estimator."""
    restorer = AGARNetConfig(pixel_features=8)
    estimator = small_weights.estimator_config, small_weights.estimator_params
    return weights.Weights(restorer, golden_params, *estimator)


@pytest.fixture(scope="session")
def golden_call(golden):
    """Inputs of a restorer by name, and the output of the released graph."""
    case = golden("restore_scalar_q10_astronaut96x128")
    quality = 100 * case["quality"].reshape(1, 1, 1, 1).astype(np.float32)
    return {"image": case["image"], "quality": quality}, case["restored"]


# Exports weights with `formats.save`, for each (source, path, options) of a list.
_SAVE = """
import json, sys
from agarnet_jax import weights
from agarnet_jax.export import formats
for source, path, options in json.load(sys.stdin):
    if "size" in options:
        options["size"] = tuple(options["size"])
    formats.save(weights.load(source), path, **options)
"""


@pytest.fixture(scope="session")
def save_by_tensorflow(tensorflow_python, run_python, tmp_path_factory):
    """[(weights, path, options of `formats.save`)] → files, written in TensorFlow's environment."""

    def save(*files):
        folder = tmp_path_factory.mktemp("weights")
        entries = []
        for number, (trained, path, options) in enumerate(files):
            weights.save(trained, folder / f"{number}.safetensors")
            entries.append((f"{folder}/{number}.safetensors", f"{path}", options))
        run_python(tensorflow_python, "-W", "error", "-c", _SAVE, stdin=json.dumps(entries))

    return save


@pytest.fixture(scope="session")
def run_python():
    """(python, arguments) → its output; the process must succeed."""

    def run_python(python, *arguments, stdin: str | None = None, cwd=None) -> str:
        command = [python, *map(str, arguments)]
        result = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=cwd)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run_python


@pytest.fixture(scope="session")
def call_in_runtime(tensorflow_python, run_python, tmp_path_factory):
    """(source of `run(path, inputs) → outputs`, (file, inputs) for each call) → their outputs.

    In TensorFlow's environment, without JAX and this package.
    """

    def call_in_runtime(run: str, *calls):
        folder = tmp_path_factory.mktemp("calls")
        for number, (_, inputs) in enumerate(calls):
            np.savez(folder / f"{number}.npz", **inputs)
        code = _HIDE_OURS + run + _CALL
        run_python(tensorflow_python, "-c", code, *(path for path, _ in calls), cwd=folder)
        return [dict(np.load(folder / f"{number}.out.npz")) for number in range(len(calls))]

    return call_in_runtime


_HIDE_OURS = """
import sys
sys.modules.update(dict.fromkeys(("jax", "flax", "agarnet_jax")))
"""

_CALL = """
import numpy as np
for number, path in enumerate(sys.argv[1:]):
    np.savez(f"{number}.out.npz", **run(path, dict(np.load(f"{number}.npz"))))
"""
