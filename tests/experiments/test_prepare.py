"""`python -m experiments.prepare` in separate processes, some of which are killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("apache_beam")

IN_PROCESS = "--direct_running_mode=in_memory"
TWO_WORKERS = "--direct_num_workers=2"
OPTIONS = ("--tile=64", "--min_side=32", "--shards=4")
IMAGES = 24


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Images that take a while to pack, one of them twice, and a broken file."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "below").mkdir()
    draw = np.random.default_rng(0)
    for number in range(IMAGES):
        pixels = draw.integers(0, 256, (300, 301 + number, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "below" / f"{number:02d}.bmp")
    Image.fromarray(pixels).save(folder / "again.png")
    (folder / "broken.jpg").write_text("broken")
    return folder


@pytest.fixture(scope="module")
def command(repository):
    """Starts the program with arguments; standard output and error are pipes."""

    def start(*arguments, temporary=None):
        return subprocess.Popen(
            [sys.executable, "-m", "experiments.prepare", *map(str, arguments)],
            cwd=repository,
            env=os.environ | ({"TMPDIR": str(temporary)} if temporary else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # the program and its workers form one process group
        )

    return start


@pytest.fixture(scope="module")
def prepare(command):
    """Runs the program; returns (standard output, standard error)."""

    def run(*arguments, fails=False):
        process = command(*arguments)
        out, err = process.communicate()
        assert (process.returncode != 0) == fails, out + err
        return out, err

    return run


@pytest.fixture(scope="module")
def alone(prepare, source, tmp_path_factory):
    """The output folder of a single worker, and what it printed."""
    out = tmp_path_factory.mktemp("outputs") / "alone"
    printed = prepare(f"--input={source}", f"--output={out}", *OPTIONS, IN_PROCESS)
    return out, printed


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def only_progress(stderr):
    lines = [line for line in stderr.splitlines() if line]  # also splits at \r
    return all(line.startswith(("Verified: ", "Packed: ")) for line in lines)


def test_a_summary_and_the_progress_are_printed(alone):
    out, (stdout, stderr) = alone
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["images"] == IMAGES
    assert manifest["skipped"] == {"duplicate": 1, "not an image": 1}
    assert (
        f"{IMAGES} images, {manifest['records']} records, {manifest['pixels']} pixels, 4 sh"
        in stdout
    )
    assert "skipped: 1 duplicate, 1 not an image; " in stdout
    assert f"Verified: 100%|██████████| {IMAGES + 2}/{IMAGES + 2}" in stderr
    assert f"Packed: 100%|██████████| {IMAGES}/{IMAGES}" in stderr
    assert only_progress(stderr)


def test_two_workers_write_the_same_bytes_and_a_second_run_does_nothing(
    prepare, source, alone, tmp_path
):
    arguments = (f"--input={source}", f"--output={tmp_path / 'out'}", *OPTIONS, TWO_WORKERS)
    _, stderr = prepare(*arguments)
    assert contents(tmp_path / "out") == contents(alone[0])
    assert "Packed: 100%" in stderr
    assert only_progress(stderr)
    stdout, stderr = prepare(*arguments)
    assert stdout.startswith(f"{tmp_path / 'out'} is already prepared.")
    assert not stderr


def wait_for(condition, process):
    """Waits until the condition holds while the process runs."""
    for _ in range(6000):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError("The condition did not hold within a minute.")


def kill_when(reached, process, temporary):
    """Kills the program once a worker's marks satisfy `reached`; its workers must end, too."""
    wait_for(lambda: any(reached(p.read_bytes()) for p in temporary.glob("prepare-*")), process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)  # returns once the workers have closed the pipes, too


@contextlib.contextmanager
def blocked(source, aside):
    """Replaces a file by a pipe that nobody writes to, so that a worker waits for it forever."""
    path = source / "below" / "07.bmp"
    path.rename(aside)
    os.mkfifo(path)
    try:
        yield
    finally:
        aside.replace(path)


@pytest.mark.parametrize("stage", ["verifying", "packing"])
def test_after_a_kill_the_same_command_writes_the_same_bytes(
    command, prepare, source, alone, tmp_path, stage
):
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    temporary.mkdir()
    arguments = (f"--input={source}", f"--output={out}", *OPTIONS, TWO_WORKERS)
    if stage == "verifying":
        with blocked(source, tmp_path / "away.bmp"):
            process = command(*arguments, temporary=temporary)
            kill_when(lambda marks: len(marks) >= 2, process, temporary)
    else:
        process = command(*arguments, temporary=temporary)
        kill_when(lambda marks: 1 <= marks.count(b"p") < IMAGES, process, temporary)
    assert [path.name[:11] for path in out.iterdir()] == [".preparing-"]
    prepare(*arguments)
    assert contents(out) == contents(alone[0])


def test_a_killed_worker_ends_the_program(command, source, tmp_path):
    out = tmp_path / "out"

    def workers():
        listed = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--sid", str(process.pid)],
            capture_output=True,
            text=True,
        ).stdout
        return [line.split()[0] for line in listed.splitlines() if "preparation.worker" in line]

    with blocked(source, tmp_path / "away.bmp"):  # else the workers might end too early
        process = command(f"--input={source}", f"--output={out}", *OPTIONS, TWO_WORKERS)
        wait_for(workers, process)
        os.kill(int(workers()[0]), signal.SIGKILL)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Worker subprocess exited with return code" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr
    assert not list(out.iterdir())


def test_a_different_preparation_is_replaced_only_with_overwrite(prepare, source, alone, tmp_path):
    out = tmp_path / "out"
    prepare(f"--input={source}", f"--output={out}", "--shards=5", IN_PROCESS)
    before = contents(out)
    arguments = (f"--input={source}", f"--output={out}", *OPTIONS, IN_PROCESS)
    _, stderr = prepare(*arguments, fails=True)
    assert stderr.count("\n") == 1
    assert "--overwrite" in stderr
    assert contents(out) == before
    prepare(*arguments, "--overwrite")
    assert contents(out) == contents(alone[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--input=nowhere",), "nowhere' is not a directory"),
        (("--tiel=64",), "Unknown flag '--tiel=64'; did you mean --tile?"),
        (("--tile=100",), "tile is 100"),
        (("--tile=x",), "--tile=x"),
        (("--runner=NoSuchRunner",), "NoSuchRunner"),
    ],
)
def test_errors_are_one_line_and_write_nothing(prepare, source, tmp_path, arguments, message):
    _, stderr = prepare(
        f"--input={source}", f"--output={tmp_path / 'out'}", IN_PROCESS, *arguments, fails=True
    )
    assert message in stderr
    assert stderr.count("\n") == 1, stderr
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_both_folders_are_required(prepare, source):
    _, stderr = prepare(f"--input={source}", fails=True)
    assert "--output" in stderr
    assert stderr.count("\n") == 1


def test_beams_portable_runner_writes_the_same_bytes(prepare, source, alone, tmp_path):
    """As used for Flink and Spark, here with a job server in the process; shows no progress."""
    out = tmp_path / "out"
    arguments = ("--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK")
    _, stderr = prepare(
        f"--input={source}", f"--output={out}", *OPTIONS, *arguments, "--", "--of_a_job_server=1"
    )
    assert contents(out) == contents(alone[0])
    assert "Verified" not in stderr


def test_our_flags_and_those_of_beam_are_distinct():
    """Otherwise one would shadow the other."""
    code = (
        "from absl import flags\n"
        "from apache_beam.options.pipeline_options import PipelineOptions\n"
        "import experiments.prepare\n"
        "print(set(flags.FLAGS) & set(PipelineOptions([]).get_all_options()))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stdout + result.stderr
