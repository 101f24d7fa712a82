"""Checkpoints written in TensorFlow 1's format, read in an environment with TensorFlow."""

import json
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

from agarnet_jax import weights
from agarnet_jax.convert import checkpoint
from agarnet_jax.jpeg_tables import TableScaling
from agarnet_jax.models import AGARNetConfig, CellPlacement, EstimatorConfig

CONVERT = """
import json, sys
from agarnet_jax import weights
from agarnet_jax.convert import checkpoint
messages = []
for folder, out in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        weights.save(checkpoint.released_weights(folder), out)
        messages.append("")
    except ValueError as error:
        messages.append(str(error))
print(json.dumps(messages))
"""


@pytest.fixture(scope="module")
def releases(write_releases, golden_restorer_arrays, released_arrays, tmp_path_factory):
    """A folder of releases: complete, with optimizer state, and with missing variables."""
    restorer = golden_restorer_arrays | {
        "dct_input/weight": np.zeros((8, 8, 1, 64), np.float32),
        "Reconstruction/DCT_Domain2/idct/weight": np.zeros((8, 8, 1, 64), np.float32),
    }
    estimator = released_arrays(8, ("Estimation",))
    training_state = {
        "Reconstruction/DCT_Domain2/conv_last/kernel/Adam": np.ones((3, 3, 3, 32, 32), np.float32),
        "beta1_power": np.float32(0.9),
        "global_step": np.int64(100),
    }
    incomplete = {
        name: value
        for name, value in restorer.items()
        if not name.startswith("Generating_DCT/") and "Encoder_1x1/conv1/bias" not in name
    }
    wider = {"Generating_CNN/dense2/bias": np.zeros(64, np.float32)}
    contents = {
        "complete": (restorer, estimator),
        "trained": (restorer | training_state, estimator),
        "incomplete": (incomplete | wider, {"Estimation_block2/conv1/kernel": np.zeros(3)}),
    }
    root = tmp_path_factory.mktemp("releases")
    write_releases({root / name: both for name, both in contents.items()})
    return root


@pytest.fixture(scope="module")
def converted(releases, tensorflow_python, repository):
    """{name of the release: (error message or "", weights or None)}."""
    complete = releases / "complete"
    for name in ("moved", "no_state", "damaged", "no_data", "several", "half"):
        shutil.copytree(complete, releases / name)
    state = releases / "moved" / "reconstruction" / "checkpoint"
    state.write_text(state.read_text().replace('"AGARNet', '"/home/author/logs/AGARNet'))
    (releases / "no_state" / "regression" / "checkpoint").unlink()
    data = "AGARNet-100.data-00000-of-00001"
    damaged = releases / "damaged" / "reconstruction" / data
    damaged.write_bytes(damaged.read_bytes()[:100_000])
    (releases / "no_data" / "reconstruction" / data).unlink()
    several = releases / "several" / "regression"
    (several / "checkpoint").unlink()
    shutil.copy(several / "Estimation-100.index", several / "Estimation-200.index")
    shutil.rmtree(releases / "half" / "regression")
    (releases / "half" / "reconstruction" / "AGARNet-100.index").unlink()
    names = [*sorted(path.name for path in releases.iterdir()), "nowhere"]
    arguments = [(releases / name, releases / f"{name}.safetensors") for name in names]
    flat = [argument for pair in arguments for argument in pair]
    command = [tensorflow_python, "-c", CONVERT, *flat]
    result = subprocess.run(command, capture_output=True, text=True, cwd=repository)
    assert result.returncode == 0, result.stderr
    messages = json.loads(result.stdout.splitlines()[-1])
    return {
        name: (message, None if message else weights.load(out))
        for name, message, (_, out) in zip(names, messages, arguments)
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["complete", "trained", "moved", "no_state"])
def test_release_is_converted_to_weights(converted, name, golden_params, golden_estimator_params):
    message, result = converted[name]
    assert not message
    assert result.restorer_config == AGARNetConfig(pixel_features=8)
    assert result.restorer_config.table_scaling is TableScaling.FLOAT
    assert result.estimator_config == EstimatorConfig(cells=CellPlacement.PLACED)
    jax.tree.map(np.testing.assert_array_equal, result.restorer_params, golden_params)
    jax.tree.map(np.testing.assert_array_equal, result.estimator_params, golden_estimator_params)


@pytest.mark.slow
def test_all_problems_are_reported_at_once(converted):
    lines = converted["incomplete"][0].splitlines()
    problems = {line.strip() for line in lines[1:]}
    # A scope, a variable and a shape; all 18 variables of the estimator, one of the wrong shape.
    assert len(problems) == len(lines) - 1 == 3 + 18
    assert "21 problems" in lines[0]
    assert "missing: scope Generating_DCT (4 variables)" in problems
    assert "missing: Reconstruction/Pixel_Domain/Encoder_1x1/conv1/bias" in problems
    assert "shape: Generating_CNN/dense2/bias is (64,), expected (32,)" in problems
    assert "missing: Estimation_block2/conv_last/bias" in problems
    assert "shape: Estimation_block2/conv1/kernel is (3,), expected (3, 3, 1, 32)" in problems


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "phrases"),
    [
        ("nowhere", ["reconstruction: no such folder", "regression: no such folder"]),
        ("half", ["reconstruction: no checkpoint in it", "regression: no such folder"]),
        ("damaged", ["reconstruction: AGARNet-100 cannot be read"]),
        ("no_data", ["reconstruction: AGARNet-100 cannot be read"]),
        ("several", ["regression: several checkpoints", "Estimation-100, Estimation-200"]),
    ],
)
def test_unreadable_checkpoints_raise_with_their_folder(converted, name, phrases):
    message = converted[name][0]
    assert len(message.splitlines()) <= 3, message
    for phrase in phrases:
        assert phrase in message


def test_missing_tensorflow_raises_with_the_extra_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'agarnet-jax\[convert\]'"):
        checkpoint.released_weights(tmp_path)
