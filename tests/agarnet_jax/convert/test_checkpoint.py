"""Checkpoints that TensorFlow wrote as its version 1 did, read in an environment that has it."""

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
    """Folders as of the release, by what is special about them."""
    restorer = golden_restorer_arrays | {
        "dct_input/weight": np.zeros((8, 8, 1, 64), np.float32),
        "Reconstruction/DCT_Domain2/idct/weight": np.zeros((8, 8, 1, 64), np.float32),
    }
    estimator = released_arrays(8, ("Estimation",))
    kept_by_optimizer = {
        "Reconstruction/DCT_Domain2/conv_last/kernel/Adam": np.ones((3, 3, 3, 32, 32), np.float32),
        "beta1_power": np.float32(0.9),
        "global_step": np.int64(100),
    }
    without_scopes = {
        name: value
        for name, value in restorer.items()
        if not name.startswith("Generating_DCT/") and "Encoder_1x1/conv1/bias" not in name
    }
    wider = {"Generating_CNN/dense2/bias": np.zeros(64, np.float32)}
    chosen = {
        "whole": (restorer, estimator),
        "trained": (restorer | kept_by_optimizer, estimator),
        "lacking": (without_scopes | wider, {"Estimation_block2/conv1/kernel": np.zeros(3)}),
    }
    root = tmp_path_factory.mktemp("releases")
    write_releases({root / name: both for name, both in chosen.items()})
    return root


@pytest.fixture(scope="module")
def converted(releases, tensorflow_python, repository):
    """By name of the release: what was wrong with it, and the weights."""
    whole = releases / "whole"
    for name in ("moved", "stateless", "damaged", "no_data", "several", "half"):
        shutil.copytree(whole, releases / name)
    state = releases / "moved" / "reconstruction" / "checkpoint"
    state.write_text(state.read_text().replace('"AGARNet', '"/home/author/logs/AGARNet'))
    (releases / "stateless" / "regression" / "checkpoint").unlink()
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
@pytest.mark.parametrize("name", ["whole", "trained", "moved", "stateless"])
def test_a_release_becomes_our_weights(converted, name, golden_params, golden_estimator_params):
    message, result = converted[name]
    assert not message
    assert result.restorer_config == AGARNetConfig(pixel_features=8)
    assert result.restorer_config.table_scaling is TableScaling.FLOAT
    assert result.estimator_config == EstimatorConfig(cells=CellPlacement.PLACED)
    jax.tree.map(np.testing.assert_array_equal, result.restorer_params, golden_params)
    jax.tree.map(np.testing.assert_array_equal, result.estimator_params, golden_estimator_params)


@pytest.mark.slow
def test_everything_missing_is_named_at_once(converted):
    lines = converted["lacking"][0].splitlines()
    named = {line.strip() for line in lines[1:]}
    # A scope, a variable and a shape; of the estimator's 18 variables the one there is misshapen.
    assert len(named) == len(lines) - 1 == 3 + 18
    assert "21 problems" in lines[0]
    assert "missing: scope Generating_DCT (4 variables)" in named
    assert "missing: Reconstruction/Pixel_Domain/Encoder_1x1/conv1/bias" in named
    assert "shape: Generating_CNN/dense2/bias is (64,), expected (32,)" in named
    assert "missing: Estimation_block2/conv_last/bias" in named
    assert "shape: Estimation_block2/conv1/kernel is (3,), expected (3, 3, 1, 32)" in named


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", ["reconstruction: no such folder", "regression: no such folder"]),
        ("half", ["reconstruction: no checkpoint in it", "regression: no such folder"]),
        ("damaged", ["reconstruction: AGARNet-100 cannot be read"]),
        ("no_data", ["reconstruction: AGARNet-100 cannot be read"]),
        ("several", ["regression: several checkpoints", "Estimation-100, Estimation-200"]),
    ],
)
def test_files_that_cannot_be_read(converted, name, words):
    message = converted[name][0]
    assert len(message.splitlines()) <= 3, message
    for word in words:
        assert word in message


def test_tensorflow_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'agarnet-jax\[convert\]'"):
        checkpoint.released_weights(tmp_path)
