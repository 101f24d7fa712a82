"""From released checkpoints to scores and restored images, each step by its command."""

import os
import pathlib
import subprocess

import numpy as np
import pytest
from PIL import Image

from agarnet_jax import weights
from agarnet_jax.models import AGARNet, CellPlacement, EstimatorConfig, QualityEstimator


@pytest.fixture(scope="module")
def release(write_releases, golden_restorer_arrays, released_arrays, tmp_path_factory):
    """A release written here, or the folder AGARNET_RELEASE if it is set."""
    if given := os.environ.get("AGARNET_RELEASE"):
        return pathlib.Path(given)
    root = tmp_path_factory.mktemp("release") / "agarnet"
    write_releases({root: (golden_restorer_arrays, released_arrays(8, ("Estimation",)))})
    return root


@pytest.fixture(scope="module")
def converted(tensorflow_python, release, repository, tmp_path_factory):
    out = tmp_path_factory.mktemp("converted") / "released.safetensors"
    command = [tensorflow_python, "-m", "experiments.convert_released"]
    result = subprocess.run(
        [*command, f"--checkpoint_dir={release}", f"--out={out}"],
        capture_output=True,
        text=True,
        cwd=repository,
    )
    assert result.returncode == 0, result.stderr
    assert "width f = 8" in result.stdout
    return out


@pytest.mark.slow
@pytest.mark.parametrize("quality", [10, 60])
def test_the_restorer_matches_the_released_graph(converted, golden, quality):
    loaded = weights.load(converted)
    case = golden(f"restore_scalar_q{quality}_astronaut96x128")
    output = AGARNet(loaded.restorer_config).apply(
        {"params": loaded.restorer_params}, case["image"], quality=100 * case["quality"]
    )
    np.testing.assert_allclose(output.restored, case["restored"], atol=5e-5)


@pytest.mark.slow
def test_the_estimator_matches_the_released_graph(converted, golden):
    loaded = weights.load(converted)
    case = golden("estimate_astronaut128x160")
    estimator = QualityEstimator(EstimatorConfig(cells=CellPlacement.RELEASED))
    estimate = estimator.apply({"params": loaded.estimator_params}, case["image"])
    np.testing.assert_allclose(estimate.cells / 100, case["map"], atol=5e-6)


@pytest.mark.slow
def test_converted_weights_are_evaluated_and_restore_an_image(
    program, converted, gray_photo, encode, tmp_path
):
    (tmp_path / "clean").mkdir()
    Image.fromarray(gray_photo).save(tmp_path / "clean" / "photo.png")
    scores = program(
        "experiments.evaluate",
        f"--weights={converted}",
        f"--images={tmp_path}/clean",
        "--qualities=30",
        "--rounding=truncate",
        "--estimator_cells=released",
    )
    assert "|   30 | " in scores.stdout
    assert "estimator's cells: released" in scores.stdout
    photo, out = tmp_path / "photo.jpg", tmp_path / "out.png"
    photo.write_bytes(encode(gray_photo[:50, :70], 50))  # smaller than a cell
    program("agarnet_jax.cli", "restore", photo, "-o", out, "--weights", converted)
    with Image.open(out) as image:
        assert image.size == (70, 50)


def test_a_missing_output_folder_is_reported_at_once(program, tmp_path):
    result = program(
        "experiments.convert_released",
        f"--checkpoint_dir={tmp_path}",
        f"--out={tmp_path}/typo/x.safetensors",
        fails=True,
    )
    (line,) = result.stderr.splitlines()
    assert "typo/x.safetensors' cannot be written: No such file" in line
