"""Joint training, from the command to the weights file."""

import json

import jax
import numpy as np
import pytest

from agarnet_jax import weights
from agarnet_jax.checkpoint import Checkpoints

NARROW = (
    *(f"--config.model.restorer.{name}=2" for name in ("pixel_features", "dct_features")),
    *(f"--config.model.restorer.{name}_blocks=0" for name in ("dct", "encoder1", "encoder2")),
    *("--config.model.restorer.encoder4_blocks=1", "--config.model.restorer.gate_features=2"),
    *(f"--config.model.restorer.decoder{n}_blocks=0" for n in (1, 2)),
    *(f"--config.model.restorer.decoder{n}_gated_blocks=0" for n in (1, 2)),
    "--config.model.estimator.features=(2,2,2,2)",
    *(f"--config.model.{part}.conv2d=native" for part in ("restorer", "estimator")),
    "--config.model.restorer.conv3d=native",
)


@pytest.fixture(scope="module")
def workdir(program, picture_folders, tmp_path_factory):
    """Three steps from random weights, the last two on larger crops in smaller batches."""
    workdir = tmp_path_factory.mktemp("joint")
    program(
        "experiments.train",
        "--config=experiments/configs/joint.py",
        "--config.init_from=",
        f"--workdir={workdir}",
        f"--config.data.train_dir={picture_folders}/train",
        f"--config.data.eval_dir={picture_folders}/valid",
        "--config.data.eval_crop=64",
        "--config.data.eval_qualities=(20,)",
        "--config.data.crop=64",
        "--config.data.crop_schedule=((1, 128, 2),)",
        "--config.train.steps=3",
        "--config.train.warmup_steps=1",
        "--config.train.log_every=1",
        *NARROW,
    )
    return workdir


@pytest.mark.slow
def test_joint_training_reports_both_networks(workdir):
    lines = (workdir / "metrics.jsonl").read_text()
    for name in ("train/l1", "train/mean_absolute_error", "eval/psnr_gain/q20", "eval/error/q20"):
        assert f'"{name}"' in lines


@pytest.mark.slow
def test_each_crop_size_compiles_once(workdir):
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    counts = [row["train/compilations"] for row in rows if "train/compilations" in row]
    assert counts[0] > 0
    assert counts[1:] == [1, 0]


@pytest.mark.slow
def test_both_networks_of_a_joint_run_are_packed(program, workdir, tmp_path):
    packed = tmp_path / "packed.safetensors"
    program("experiments.pack_weights", f"--joint={workdir}", f"--out={packed}")
    trained = weights.load(packed)
    assert trained.restorer_config.pixel_features == 2
    assert trained.estimator_config.features == (2, 2, 2, 2)
    checkpoints = Checkpoints(workdir / "checkpoints")
    expected = checkpoints.restore_ema_params(3)
    checkpoints.close()
    actual = {"restorer": trained.restorer_params, "estimator": trained.estimator_params}
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ("--restorer={0}", "--estimator={0}"),
            "is a training of task 'joint'; expected task 'restorer'",
        ),
        (
            ("--restorer={0}", "--joint={0}"),
            "Give both --restorer and --estimator, or --joint alone.",
        ),
        (("--restorer={0}",), "Give both --restorer and --estimator, or --joint alone."),
    ],
)
def test_flags_that_do_not_combine_are_rejected(program, workdir, tmp_path, flags, message):
    out = tmp_path / "x.safetensors"
    arguments = [flag.format(workdir) for flag in flags]
    result = program("experiments.pack_weights", *arguments, f"--out={out}", fails=True)
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not out.exists()
