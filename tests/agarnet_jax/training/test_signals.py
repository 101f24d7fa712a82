"""Sends real signals to real processes."""

import os
import pathlib
import pty
import signal
import socket
import subprocess
import sys
import threading
import time

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from agarnet_jax.training.signals import Interrupted, StopSignals

PROGRAM = """
import sys, time
from agarnet_jax.training.signals import Interrupted, StopSignals

with StopSignals(lambda: print("left", flush=True)) as stop:
    stop.something_to_save = sys.argv[1] == "training"
    print("ready", flush=True)
    while not stop.requested(agree=True):
        time.sleep(0.01)
    print("asked", flush=True)
    time.sleep({after})
    raise Interrupted(stop.number)
"""


@pytest.fixture
def started():
    """Starts the program above; returns it once its handlers are installed."""
    processes = []

    def start(phase, *, after=0, under=()):
        process = subprocess.Popen(
            [*under, sys.executable, "-c", PROGRAM.format(after=after), phase],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_first_signal_requests_a_stop_and_sets_the_exit_code(started, number, code):
    process = started("training")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == "asked\n"
    assert number.name in err


IN_A_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)" + PROGRAM


@pytest.mark.usefixtures("default_sighup")
@pytest.mark.parametrize("phase", ["training", "compiling"])
def test_closing_the_terminal_requests_a_stop_although_printing_fails(phase):
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL.format(after=0.1), phase],
        **dict.fromkeys(("stdin", "stdout", "stderr"), terminal),
        start_new_session=True,
    )
    os.close(terminal)
    try:
        assert os.read(controller, 1024).startswith(b"ready")
        os.close(controller)
        assert process.wait(timeout=60) == 129
    finally:
        process.kill()


def test_a_hangup_stays_ignored_under_nohup(started):
    process = started("training", under=("nohup",))
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143


def test_a_signal_before_the_first_step_stops_at_once(started):
    process = started("compiling")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert out == "left\n"
    assert "nothing to save" in err


def test_a_second_signal_stops_at_once_unless_it_is_the_same_request(started):
    process = started("training", after=3600)
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGTERM)  # within a second: the same request
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert process.stdout.read() == "left\n"


def test_previous_handlers_are_restored():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with StopSignals() as stop:
        assert signal.getsignal(signal.SIGTERM) != before[0]
        stop.something_to_save = True
        signal.raise_signal(signal.SIGTERM)
        while not stop.requested(agree=True):
            time.sleep(0.01)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert Interrupted(stop.number).code == 143


def test_threads_other_than_the_main_one_have_no_handlers():
    asked = []

    def train():
        with StopSignals() as stop:
            asked.append(stop.requested(agree=True))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert asked == [False]


def test_a_signal_during_the_exchange_counts_in_the_next_one(monkeypatch):
    stop = StopSignals()
    stop.something_to_save = True

    def exchange(number):
        numbers = np.stack([number, number])  # sent before the signal arrives
        stop._receive(signal.SIGTERM)
        return numbers

    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(multihost_utils, "process_allgather", exchange)
    assert not stop.requested(agree=True)
    assert stop.number == signal.SIGTERM
    monkeypatch.setattr(multihost_utils, "process_allgather", lambda n: np.stack([n, 0 * n]))
    assert stop.requested(agree=True)


PROCESSES = """
import sys, time
import jax
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_preemption_service", False)
jax.distributed.initialize(sys.argv[1], 2, int(sys.argv[2]))
from agarnet_jax.training.signals import StopSignals
with StopSignals() as stop:
    stop.something_to_save = True
    step = 0
    while not stop.requested(agree=step % 3 == 0):
        step += 1
        time.sleep(0.02)
        if step == 3:
            print("ready", flush=True)
    print(step, stop.number, flush=True)
"""


@pytest.mark.slow
def test_all_processes_stop_at_the_same_step_if_one_receives_a_signal():
    with socket.create_server(("localhost", 0)) as free:
        address = f"localhost:{free.getsockname()[1]}"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESSES, address, str(index)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    for process in processes:
        while process.stdout.readline() != "ready\n":  # Gloo prints to stdout, too
            assert process.poll() is None, process.stderr.read()
    processes[1].send_signal(signal.SIGTERM)
    stopped = [process.communicate(timeout=120)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert stopped[0] == stopped[1]
    step, number = map(int, stopped[0])
    assert step % 3 == 0
    assert number == signal.SIGTERM


WITH_A_WORKER = """
import multiprocessing, time
from agarnet_jax.training.signals import StopSignals

if __name__ == "__main__":
    worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(3600,))
    worker.start()
    with StopSignals():
        print(worker.pid, flush=True)
        time.sleep(3600)
"""


def test_stopping_at_once_kills_worker_processes(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(WITH_A_WORKER)
    process = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True)
    worker = int(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    for _ in range(100):
        if not is_running(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker is still running")


def is_running(pid):
    """Returns whether a process exists and is not a zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
