"""The programs end to end, each in its own process, on small networks and images."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from agarnet_jax import weights
from agarnet_jax.training.folder_lock import locked

SMALL = [
    "--config.train.warmup_steps=1",
    "--config.train.batch_size=2",
    "--config.train.log_every=1",
    "--config.data.eval_qualities=(20,)",
    "--config.data.crop=64",
]


def train_arguments(name, folder, workdir, *more):
    return (
        "experiments.train",
        f"--config=experiments/configs/{name}.py",
        f"--workdir={workdir}",
        f"--config.data.train_dir={folder}/train",
        f"--config.data.eval_dir={folder}/valid",
        "--config.data.crop_schedule=()",
        "--config.data.eval_crop=128",
        *SMALL,
        *more,
    )


@pytest.fixture(scope="module")
def trained(program, picture_folders, tmp_path_factory):
    """Working folders of a restorer and an estimator, two steps each."""
    root = tmp_path_factory.mktemp("runs")
    for name in ("smoke", "estimator"):
        program(
            *train_arguments(name, picture_folders, root / name, "--config.train.steps=2"),
        )
    return root


def steps_logged(workdir):
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [row["step"] for row in rows if "train/loss" in row]


def test_both_tasks_train_and_evaluate(trained):
    for name, metric in (("smoke", "eval/psnr/q20"), ("estimator", "eval/absolute_error/q20")):
        assert steps_logged(trained / name) == [1, 2]
        assert metric in (trained / name / "metrics.jsonl").read_text()


def test_the_same_command_resumes_a_training(program, picture_folders, tmp_path):
    images = tmp_path / "images"
    shutil.copytree(picture_folders, images)
    arguments = train_arguments("smoke", images, tmp_path, "--config.train.steps=3")
    program(*arguments, "--stop_at=2")
    shutil.copy(images / "valid" / "astronaut.png", images / "train")
    result = program(*arguments)
    assert "Starting at step 2 of 3" in result.stdout
    message = (
        "The checkpoint was saved with other training images than now: 3 images, now 4 images."
    )
    assert message in result.stdout.splitlines()
    assert steps_logged(tmp_path) == [1, 2, 3]


def test_packed_weights_are_evaluated_and_restore_an_image(
    program, trained, picture_folders, tmp_path, encode
):
    packed = tmp_path / "packed.safetensors"
    program(
        "experiments.pack_weights",
        f"--restorer={trained}/smoke",
        f"--estimator={trained}/estimator",
        f"--out={packed}",
    )
    scores = program(
        "experiments.evaluate",
        f"--weights={packed}",
        f"--images={picture_folders}/valid",
        "--qualities=30",
    )
    assert "|   30 | " in scores.stdout

    photo = tmp_path / "photo.jpg"
    photo.write_bytes(encode(np.full((20, 30, 3), 90, np.uint8), 50))
    out = tmp_path / "out.png"
    program("agarnet_jax.cli", "restore", photo, "-o", out, f"--weights={packed}")
    with Image.open(out) as image:
        assert image.size == (30, 20)


def test_a_network_from_a_weights_file_can_be_packed(program, trained, tmp_path):
    out = tmp_path / "x.safetensors"
    parts = f"--restorer={trained}/smoke", "--estimator=tiny"
    program("experiments.pack_weights", *parts, f"--out={out}")
    packed, shipped = weights.load(out), weights.load("tiny")
    assert packed.estimator_config == shipped.estimator_config
    jax.tree.map(np.testing.assert_array_equal, packed.estimator_params, shipped.estimator_params)
    assert packed.restorer_config != shipped.restorer_config


def test_several_networks_of_one_configuration_are_averaged(program, tmp_path):
    tiny = weights.load("tiny")
    tripled = jax.tree.map(lambda leaf: 3 * leaf, tiny.restorer_params)
    weights.save(dataclasses.replace(tiny, restorer_params=tripled), tmp_path / "tripled")
    command = "experiments.pack_weights", "--restorer=tiny", "--estimator=tiny"
    program(*command, f"--restorer={tmp_path / 'tripled'}", f"--out={tmp_path / 'mean'}")
    doubled = jax.tree.map(lambda leaf: 2 * leaf, tiny.restorer_params)
    packed = weights.load(tmp_path / "mean")
    jax.tree.map(np.testing.assert_array_equal, packed.restorer_params, doubled)
    result = program(*command, "--restorer=small", f"--out={tmp_path / 'no'}", fails=True)
    assert "'tiny' and 'small' have different configurations, so they cannot" in result.stderr
    assert not (tmp_path / "no").exists()


def test_packing_a_run_of_another_task_is_rejected(program, trained, tmp_path):
    result = program(
        "experiments.pack_weights",
        f"--restorer={trained}/estimator",
        f"--estimator={trained}/estimator",
        f"--out={tmp_path}/x.safetensors",
        fails=True,
    )
    assert "is a training of task 'estimator'; expected task 'restorer'" in result.stderr
    result = program(
        "experiments.pack_weights",
        f"--restorer={tmp_path}/typo",
        f"--estimator={trained}/estimator",
        f"--out={tmp_path}/x.safetensors",
        fails=True,
    )
    assert "typo' has no checkpoint" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("pack_weights", ("--restorer=tiny", "--estimator=tiny", "--out=docs"), "'docs' cannot be"),
        ("evaluate", ("--images=docs", "--out=README.md"), "'README.md' cannot be written: Not a"),
    ],
)
def test_a_destination_that_cannot_be_written_is_reported_at_once(
    program, module, arguments, message
):
    result = program(f"experiments.{module}", *arguments, fails=True)
    (line,) = result.stderr.strip().splitlines()
    assert message in line
    assert not result.stdout


def test_inspect_data_writes_samples_and_throughput(program, picture_folders, tmp_path):
    result = program(
        "experiments.inspect_data",
        "--config=experiments/configs/smoke.py",
        f"--config.data.train_dir={picture_folders}/train",
        "--config.data.degradation.mixture.recompression=1.0",
        "--config.data.degradation.mixture.mosaic=1.0",
        "--config.data.graphics=0.5",
        f"--out={tmp_path / 'out'}",
        "--samples=5",
        "--count=3",
    )
    with Image.open(tmp_path / "out" / "samples.png") as sheet:
        assert sheet.height > 5 * 160
    lines = (tmp_path / "out" / "samples.jsonl").read_text().splitlines()
    assert len(lines) == 5
    assert all("degradation" in json.loads(line) for line in lines)
    table = (tmp_path / "out" / "throughput.md").read_text()
    assert table in result.stdout
    stages = "read and decode", "draw graphics", "jpeg", "recompression", "mosaic"
    for stage in stages:
        assert stage in table
    assert "video" not in table


def test_samples_that_cannot_be_written_are_a_one_line_error(program, picture_folders, tmp_path):
    (tmp_path / "samples.png").mkdir()
    result = program(
        "experiments.inspect_data",
        "--config=experiments/configs/smoke.py",
        f"--config.data.train_dir={picture_folders}/train",
        f"--out={tmp_path}",
        "--samples=1",
        fails=True,
    )
    (line,) = result.stderr.strip().splitlines()
    assert "samples.png' cannot be written: Is a directory" in line


@pytest.mark.parametrize(
    ("module", "setting", "message"),
    [
        ("train", "train_dir=nowhere", "data.train_dir: Image folder 'nowhere' is not a dir"),
        ("train", "degradation.recompression.shifted=2.0", "shifted is 2.0; it must be"),
        ("inspect_data", "train_dir=", "config.data.train_dir is empty; give --config.data.train_"),
        ("inspect_data", "train_dir=tfds:nowhere", "tfds build nowhere"),
    ],
)
def test_unusable_data_is_a_one_line_error(
    program, picture_folders, tmp_path, module, setting, message
):
    result = program(
        f"experiments.{module}",
        "--config=experiments/configs/smoke.py",
        f"--config.data.train_dir={picture_folders}/train",
        f"{'--workdir' if module == 'train' else '--out'}={tmp_path / 'out'}",
        f"--config.data.{setting}",
        fails=True,
    )
    (line,) = result.stderr.strip().splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_running_training_is_left_unchanged(program, picture_folders, tmp_path):
    with locked(f"{tmp_path}"):
        before = list(tmp_path.iterdir())
        result = program(*train_arguments("smoke", picture_folders, tmp_path), fails=True)
        (line,) = result.stderr.strip().splitlines()
        assert not result.stdout
        assert f"writes into {tmp_path}; give this one a --workdir of its own" in line
        assert list(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--config.init_from=tiny", "These weights do not fit the model"),
        ("--profile_steps=5,2", "--profile_steps is 5,2; expected the first and last step"),
        ("--workdir=", "The name of the folder is empty"),
        ("--workdir=pyproject.toml", "'pyproject.toml' cannot be written: Not a directory; name"),
        ("--stop_at=0", "stop_at=0"),
        ("--process_timeout=0", "process_timeout=0"),
    ],
)
def test_unusable_training_flags_are_reported_without_a_traceback(
    program, picture_folders, tmp_path, flag, message
):
    result = program(*train_arguments("smoke", picture_folders, tmp_path, flag), fails=True)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
