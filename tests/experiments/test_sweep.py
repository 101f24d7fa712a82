"""The sweep program: one-line errors; two workers, one of them killed in the middle of a trial."""

import csv
import os
import re
import signal
import subprocess
import sys
import time

import optuna
import pytest
from PIL import Image

from experiments.sweeping.attempts import latest_attempts

STEPS = 60
TIMEOUT = 500  # seconds, for a busy machine


def arguments(pictures, workdir, *more):
    return [
        sys.executable,
        "-m",
        "experiments.sweep",
        "--config=experiments/configs/smoke.py",
        "--space=experiments/sweeps/lr_width.py",
        "--study=test",
        f"--workdir={workdir}",
        f"--config.data.train_dir={pictures}/train",
        f"--config.data.eval_dir={pictures}/valid",
        "--config.data.crop=16",
        "--config.data.eval_qualities=(20,)",
        "--config.train.batch_size=2",
        "--config.train.warmup_steps=1",
        "--config.train.log_every=1",
        "--config.train.eval_every=15",
        f"--config.train.steps={STEPS}",
        *more,
    ]


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--sampler=best", "--sampler=best"),
        ("--config.data.eval_dir=", "give --config.data.eval_dir=FOLDER"),
        ("--storage=journal:nowhere/study.log", "there is no folder nowhere"),
        ("--stop_at=2", "Unknown command line flag 'stop_at'"),
        ("--report_only", "no such file"),
    ],
)
def test_errors_are_one_line_and_write_nothing(
    repository, picture_folders, tmp_path, flag, message
):
    result = subprocess.run(
        arguments(picture_folders, tmp_path / "out", flag),
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()


class Workers:
    """Starts workers of one study, each with its output in a file; kills those that remain."""

    def __init__(self, command, repository, folder):
        self.command, self.repository, self.folder = command, repository, folder
        self.processes = []

    def start(self):
        log = self.folder / f"worker{len(self.processes)}.txt"
        with log.open("w") as out:
            process = subprocess.Popen(
                self.command, cwd=self.repository, stdout=out, stderr=subprocess.STDOUT
            )
        self.processes.append(process)
        return process, log

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def workers(repository, picture_folders, tmp_path):
    workers = Workers(
        arguments(
            picture_folders,
            tmp_path,
            "--sampler=grid",
            "--pruner=none",
            "--trials=2",
            "--heartbeat=4",
        ),
        repository,
        tmp_path,
    )
    yield workers
    workers.end()


def wait_for(find, workers):
    """Returns the first truthy result of `find`; all workers must keep running until then."""
    deadline = time.monotonic() + TIMEOUT
    while not (found := find()):
        for process, log in workers:
            assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, [log.read_text() for _, log in workers]
        time.sleep(0.02)
    return found


def worker_of(workers, announcement):
    """Returns the worker, with its log, that has announced a trial; None if there is none yet."""
    return next((worker for worker in workers if announcement in worker[1].read_text()), None)


def saved_steps(folder):
    return [int(path.name) for path in folder.glob("checkpoints/*") if path.name.isdigit()]


@pytest.mark.slow
def test_the_other_worker_resumes_the_trial_of_a_killed_one(
    workers, repository, picture_folders, tmp_path
):
    both = [workers.start(), workers.start()]
    first_worker = wait_for(lambda: worker_of(both, "Trial 0: "), both)
    killed, (survivor, log) = first_worker[0], both[1 - both.index(first_worker)]
    first = tmp_path / "trials" / "test" / "00000"
    wait_for(lambda: saved_steps(first), both)
    os.kill(killed.pid, signal.SIGKILL)
    assert min(saved_steps(first)) < STEPS
    assert survivor.wait(timeout=TIMEOUT) == 0, log.read_text()

    study = optuna.load_study(study_name="test", storage=f"sqlite:///{tmp_path}/study.db")
    killed_trial, other, resumed = study.trials
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert latest_attempts(study.trials) == [resumed, other]
    assert resumed.params == killed_trial.params
    for trial in (other, resumed):
        assert sorted(trial.intermediate_values) == [15, 30, 45, 60]
    assert sorted(path.name for path in (tmp_path / "trials" / "test").iterdir()) == [
        "00000",
        "00001",
    ]
    start = re.search(r"Trial 0: .*?Starting at step (\d+) of", log.read_text(), re.DOTALL)
    assert int(start[1]) >= 15

    with (tmp_path / "results.csv").open() as file:
        rows = {row["trial"]: row for row in csv.DictReader(file)}
    assert {number: row["attempts"] for number, row in rows.items()} == {"0": "2", "1": "1"}
    assert float(rows["0"]["score"]) == resumed.value
    for name in ("history", "parallel_coordinates", "importance"):
        with Image.open(tmp_path / f"{name}.png") as plot:
            assert plot.width > 300

    other = f"--config.data.eval_dir={picture_folders}/train"
    rejected = subprocess.run(
        [*workers.command, other], cwd=repository, capture_output=True, text=True
    )
    assert rejected.returncode == 1
    assert "The study 'test' was created with config.held_out_images = " in rejected.stderr
