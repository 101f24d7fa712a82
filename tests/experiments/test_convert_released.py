"""From released checkpoints to scores and restored images, each step by its command."""

import os
import pathlib
import subprocess

import jax
import numpy as np
import pytest
from PIL import Image

from agarnet_jax import weights
from agarnet_jax.models import AGARNetConfig, EstimatorConfig


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
def test_the_weights_are_those_of_the_golden_vectors(
    converted, golden_params, golden_estimator_params
):
    """With which the networks match the released graph (`tests/agarnet_jax/models`)."""
    loaded = weights.load(converted)
    assert loaded.restorer_config == AGARNetConfig(pixel_features=8)
    assert loaded.estimator_config == EstimatorConfig()
    jax.tree.map(np.testing.assert_array_equal, loaded.restorer_params, golden_params)
    jax.tree.map(np.testing.assert_array_equal, loaded.estimator_params, golden_estimator_params)


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
