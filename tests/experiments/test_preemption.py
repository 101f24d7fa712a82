"""Training that is killed at random moments and restarted with the same command."""

import json
import random
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from agarnet_jax.checkpoint import Checkpoints

STEPS = 60


@pytest.fixture(scope="module")
def start(small_estimator, picture_folders, repository):
    """Starts or resumes the training in a folder."""
    command = [
        *(sys.executable, "-m", "experiments.train", *small_estimator),
        f"--config.data.train_dir={picture_folders}/train",
        f"--config.data.eval_dir={picture_folders}/valid",
        f"--config.train.steps={STEPS}",
        "--config.train.batch_size=2",
        "--config.train.eval_every=20",
        "--config.train.checkpoint_every=7",
        "--config.data.eval_qualities=(20,60)",
    ]

    def start(workdir):
        return subprocess.Popen(
            [*command, f"--workdir={workdir}"],
            cwd=repository,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def final_state(workdir):
    checkpoints = Checkpoints(workdir / "checkpoints")
    try:
        assert checkpoints.latest_step() == STEPS
        return checkpoints.restore_as_saved(STEPS)
    finally:
        checkpoints.close()


def rows(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def logged(workdir, name):
    return {row["step"]: row[name] for row in rows(workdir) if name in row}


def steps_with(workdir, name):
    return [row["step"] for row in rows(workdir) if name in row]


@pytest.fixture(scope="module")
def undisturbed(start, tmp_path_factory):
    """The folder of a run that is never killed."""
    workdir = tmp_path_factory.mktemp("undisturbed")
    process = start(workdir)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert f"Finished: {STEPS} steps in " in out
    return workdir


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_run_killed_at_random_moments_has_the_same_result(undisturbed, start, tmp_path, number):
    draw = random.Random(int(number))
    codes: list[int] = []
    while not codes or codes[-1] != 0:
        process = start(tmp_path)
        if len(codes) < 3:
            wait_for_lines(process, tmp_path, draw.randint(0, 20))
            time.sleep(draw.random() / 5)
            process.send_signal(number)
        _, err = process.communicate()
        codes.append(process.returncode)
        # Before training starts, the signal itself ends the program.
        assert codes[-1] in (0, 128 + number, -number), err
        if codes[-1] and (tmp_path / "metrics.jsonl").exists():
            with (tmp_path / "metrics.jsonl").open("a") as log:
                log.write('{"step": 3, "ti')
    assert len(codes) > 2

    jax.tree.map(np.testing.assert_array_equal, final_state(tmp_path), final_state(undisturbed))
    assert steps_with(tmp_path, "train/loss") == list(range(1, STEPS + 1))
    for name in ("train/loss", "train/gradient_norm", "eval/absolute_error/q60"):
        assert logged(tmp_path, name) == logged(undisturbed, name)


@pytest.mark.slow
def test_sigterm_saves_the_current_step(start, tmp_path):
    process = start(tmp_path)
    wait_for_lines(process, tmp_path, 10)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 143, err
    steps = [int(path.name) for path in (tmp_path / "checkpoints").iterdir()]
    assert max(steps) == steps_with(tmp_path, "train/loss")[-1]
    assert "Traceback" not in err


def wait_for_lines(process, workdir, more, *, patience=300):
    """Waits until the log has `more` additional lines, or the process has ended."""
    log, end = workdir / "metrics.jsonl", time.monotonic() + patience

    def count():
        return len(log.read_bytes().splitlines()) if log.exists() else 0

    wanted = count() + more
    while process.poll() is None and time.monotonic() < end and count() < wanted:
        time.sleep(0.02)
