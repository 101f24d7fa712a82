"""`experiments.train` on one, two and four real processes over loopback.

Tolerance of losses: other numbers of devices sum in another order (relative 1e-6), and Adam's
first steps, which are close to the sign of a gradient, amplify that to 1e-4 within a few steps. So
does another order within a batch; a wrong or repeated batch differs by tens of per cent.
"""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from agarnet_jax import weights
from agarnet_jax.distributed import LOST, Cluster
from agarnet_jax.models import EstimatorConfig
from agarnet_jax.training.tasks import EstimationTask

SECONDS = 300  # patience with a process on a busy machine


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def training(small_estimator):
    """The command of all runs, whose program compiles once for each number of processes."""
    return [
        *(sys.executable, "-m", "experiments.train", *small_estimator),
        "--config.train.steps=10000",
        "--config.train.batch_size=8",
        "--config.train.checkpoint_every=2",
    ]


@pytest.fixture
def start(training, repository, picture_folders, tmp_path):
    """Starts a run of `count` processes, the last one with the extra flags `last`; kills processes
    that remain at the end."""
    started = []

    def start(count, workdir, *more, last=()):
        port = free_port()
        environment = os.environ | {"JAX_NUM_CPU_DEVICES": "1"}
        run = []
        for process in range(count):
            cluster = (
                f"--coordinator_address=127.0.0.1:{port}",
                f"--num_processes={count}",
                f"--process_id={process}",
                "--process_timeout=12",
            )
            command = [
                *training,
                f"--config.data.train_dir={picture_folders}/train",
                f"--workdir={workdir}",
                *(cluster if count > 1 else ()),
                *more,
                *(last if process == count - 1 else ()),
            ]
            with (tmp_path / f"errors{len(started)}{process}").open("w") as errors:
                output = {"stdout": subprocess.PIPE, "stderr": errors, "text": True}
                run.append(subprocess.Popen(command, cwd=repository, env=environment, **output))
        started.extend(run)
        return run

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def outputs(run, tmp_path, *, returncode=0):
    """Returns the output of each process once all have ended."""
    printed = [process.communicate(timeout=SECONDS)[0] for process in run]
    errors = "".join(path.read_text() for path in sorted(tmp_path.glob("errors*")))
    assert [process.returncode for process in run] == [returncode] * len(run), errors
    return printed


def losses(workdir):
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return {row["step"]: row["train/loss"] for row in rows if "train/loss" in row}


def wait_for_checkpoint(run, workdir, after=0):
    for _ in range(10 * SECONDS):
        steps = [int(p.name) for p in (workdir / "checkpoints").glob("*") if p.name.isdigit()]
        if max(steps, default=0) > after:
            return max(steps)
        assert all(process.poll() is None for process in run), "a process ended early"
        time.sleep(0.1)
    raise AssertionError("no checkpoint was written")


@pytest.mark.slow
def test_a_run_resumes_on_one_two_or_four_processes(start, tmp_path):
    outputs(start(1, tmp_path / "whole", "--stop_at=8"), tmp_path)
    moved = tmp_path / "moved"
    for stop_at, count in ((2, 2), (4, 1), (6, 4), (8, 1)):
        flags = [f"--stop_at={stop_at}", *(["--profile_steps=1,1"] if count == 2 else [])]
        first, *others = outputs(start(count, moved, *flags), tmp_path)
        assert "3 training images" in first
        assert not any("training images" in printed for printed in others)
    expected = losses(tmp_path / "whole")
    assert list(expected) == list(range(1, 9))
    assert losses(moved) == pytest.approx(expected, rel=1e-3)
    traced = {path.relative_to(moved).parts[1] for path in moved.rglob("*.xplane.pb")}
    assert traced == {"process0", "process1"}


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_if_a_process_is_killed_the_other_exits_and_the_run_can_resume(start, tmp_path, victim):
    workdir = tmp_path / "run"
    run = start(2, workdir)
    wait_for_checkpoint(run, workdir)
    run[victim].send_signal(signal.SIGKILL)
    survivor = run[1 - victim]
    survivor.communicate(timeout=SECONDS)  # it exits after 12 s without heartbeats
    assert survivor.returncode == LOST
    *_, last_line = (tmp_path / f"errors0{1 - victim}").read_text().strip().splitlines()
    assert f"Process {1 - victim} of 2 stops: " in last_line
    assert re.search(rf"process {victim}(, which all depend on,)? is lost", last_line)
    assert "Run the same command on every host again" in last_line

    latest = wait_for_checkpoint([], workdir)
    first, _ = outputs(start(2, workdir, f"--stop_at={latest + 1}"), tmp_path)
    assert f"Starting at step {latest} of 10000" in first
    assert list(losses(workdir)) == list(range(1, latest + 2))


def test_processes_with_different_training_images_do_not_start(start, picture_folders, tmp_path):
    fewer = tmp_path / "fewer"
    shutil.copytree(picture_folders / "train", fewer)
    next(fewer.iterdir()).unlink()
    run = start(2, tmp_path / "run", last=[f"--config.data.train_dir={fewer}"])
    outputs(run, tmp_path, returncode=1)
    for process, here in enumerate(("3 images", "2 images")):
        *_, line = (tmp_path / f"errors0{process}").read_text().strip().splitlines()
        assert "Process 1 differs from process 0 in the training images" in line
        assert f"here: {here}" in line


@pytest.mark.slow
def test_processes_with_different_held_out_images_do_not_start(start, picture_folders, tmp_path):
    one = [f"--config.data.eval_dir={picture_folders}/train"]
    run = start(2, tmp_path / "run", last=one)
    outputs(run, tmp_path, returncode=1)
    for process, here in enumerate(("none", "3 images")):
        *_, line = (tmp_path / f"errors0{process}").read_text().strip().splitlines()
        assert "Process 1 differs from process 0 in the held-out images" in line
        assert f"here: {here}" in line


@pytest.mark.slow
def test_processes_with_different_initial_weights_do_not_start(start, tmp_path):
    trained = weights.load("tiny")
    config = EstimatorConfig(features=(4, 4, 4, 4))
    shapes = jax.eval_shape(EstimationTask(config).init, jax.random.key(0))
    for name, value in (("first", 0.1), ("last", 0.2)):
        params = jax.tree.map(lambda leaf, value=value: np.full(leaf.shape, value), shapes)
        replaced = dataclasses.replace(trained, estimator_config=config, estimator_params=params)
        weights.save(replaced, tmp_path / name)
    first, last = (f"--config.init_from={tmp_path / name}" for name in ("first", "last"))
    outputs(start(2, tmp_path / "run", first, last=[last]), tmp_path, returncode=1)
    *_, line = (tmp_path / "errors01").read_text().strip().splitlines()
    assert "Process 1 differs from process 0 in the initial weights" in line


@pytest.mark.slow
def test_processes_with_different_settings_or_folders_do_not_start(start, tmp_path):
    other = tmp_path / "other"
    for number, (last, message) in enumerate(
        (
            ("--config.train.learning_rate=0.5", "in config.train.learning_rate (here: 0.5)"),
            ("--stop_at=4", "in --stop_at (here: 4)"),
            (f"--workdir={other}", f"--workdir (here: {other}) is not seen by process 1"),
        )
    ):
        outputs(start(2, tmp_path / "run", last=[last]), tmp_path, returncode=1)
        *_, line = (tmp_path / f"errors{2 * number}1").read_text().strip().splitlines()
        assert message in line
    assert not list(tmp_path.glob("*/.shared-*"))


WHOLE_BATCH = """
import sys
import jax
count, process, port, folder = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
jax.config.update("jax_num_cpu_devices", 2)
if count > 1:
    jax.distributed.initialize(f"127.0.0.1:{port}", count, process)
import numpy as np
from agarnet_jax import sharding
from data_pipelines import batching
from data_pipelines.config import DataConfig
from jax.experimental import multihost_utils

config = DataConfig(train_dir=folder, crop=16)
batches = batching.train_batches(
    batching.train_source(config),
    config=config,
    batch_size=8,
    seed=0,
    process_index=process,
    process_count=count,
)
local = next(batches)
mixed = np.array(jax.devices()).reshape(count, 2).T  # the first device of each process first
for mesh in sharding.make_mesh(fsdp=2), jax.sharding.Mesh(mixed, ("data", "fsdp")):
    batch = sharding.global_batch(local, mesh)
    whole = multihost_utils.process_allgather(batch["degraded"], tiled=True)
    print(whole.shape, whole.sum(axis=(1, 2, 3)).tolist())
"""


def test_two_processes_read_the_same_batch_as_one_in_any_device_order(repository, picture_folders):
    port, folder = str(free_port()), f"{picture_folders}/train"
    runs = [("1", "0"), ("2", "0"), ("2", "1")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WHOLE_BATCH, *run, port, folder],
            cwd=repository,
            stdout=subprocess.PIPE,
            text=True,
        )
        for run in runs
    ]
    printed = [process.communicate(timeout=SECONDS)[0].splitlines() for process in processes]
    alone, *both = [[line for line in lines if line.startswith("(")] for lines in printed]
    assert alone[0].startswith("(8, 16, 16, 1) [")
    images = json.loads(alone[0].split(") ")[1])
    mixed = [images[i] for i in (0, 1, 4, 5, 2, 3, 6, 7)]
    assert both == 2 * [[alone[0], f"(8, 16, 16, 1) {mixed}"]]


# The second of two processes is late for the comparison of settings, or dies before it, or Ctrl-C
# ends the first one while it waits.
LATE = """
import os, signal, sys, threading, time
import jax
from agarnet_jax import distributed
process, port, dies = int(sys.argv[1]), sys.argv[2], "dies" in sys.argv
signal.signal(signal.SIGINT, signal.default_int_handler)
jax.config.update("jax_num_cpu_devices", 1)
with distributed.joined(distributed.Cluster(f"127.0.0.1:{port}", 2, process), timeout=12):
    jax.devices()
    if process == 0 and "is stopped" in sys.argv:
        threading.Timer(3, os.kill, (os.getpid(), signal.SIGINT)).start()
    for seconds in 40, 0:
        if process == 1:
            time.sleep(3 if dies else seconds)
        if process == 1 and dies:
            os.kill(os.getpid(), signal.SIGKILL)
        print("here", flush=True)
        distributed.check_identical({"images": "3"})
    print("alike")
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", ["arrives", "dies", "is stopped"])
def test_processes_wait_for_a_late_one_but_not_for_a_dead_one(repository, end):
    port = str(free_port())
    options = {"cwd": repository, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [
        subprocess.Popen([sys.executable, "-c", LATE, number, port, end], text=True, **options)
        for number in "01"
    ]
    results = [process.communicate(timeout=SECONDS) for process in processes]
    if end == "arrives":
        assert [out.splitlines()[-1] for out, _ in results] == ["alike", "alike"], results
    elif end == "is stopped":
        assert [process.returncode for process in processes] == [130, LOST]
        assert results[0][1].splitlines()[-1] == "Stopped by SIGINT."
        assert "here" not in results[1][0]
    else:
        assert processes[0].returncode == LOST
        assert "Process 0 of 2 stops: process 1 is lost" in results[0][1]


def test_incomplete_or_missing_addresses_are_a_one_line_error(training, repository, tmp_path):
    for flags, message in (
        (("--num_processes=2",), "coordinator_address and process_id not given; give all of"),
        (("--distributed",), "No TPU pod, Slurm, GKE or Open MPI was found"),
    ):
        result = subprocess.run(
            [*training, f"--workdir={tmp_path}/x", *flags],
            cwd=repository,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 1
        (line,) = result.stderr.strip().splitlines()
        assert message in line


def test_the_process_id_must_be_less_than_the_number_of_processes():
    with pytest.raises(ValueError, match=r"process_id is 2.*num_processes=2.*0–1"):
        Cluster("host:1", 2, 2)
