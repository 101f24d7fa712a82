"""The lock of a working folder, against other blocks of this process and other processes."""

import errno
import os
import subprocess
import sys
import threading

import pytest

from agarnet_jax import file_lock
from agarnet_jax.training import folder_lock
from agarnet_jax.training.folder_lock import InUseError, locked

HOLDER = """
import sys, time
from agarnet_jax.training.folder_lock import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(3600)
"""


def test_a_second_training_fails_and_names_the_holder(tmp_path):
    with locked(f"{tmp_path}"):
        with pytest.raises(InUseError, match=rf"process {os.getpid()} on .*{tmp_path}; give"):
            locked(f"{tmp_path}").__enter__()
        with locked(f"{tmp_path.parent}"):  # another folder
            pass
    with locked(f"{tmp_path}"):
        pass


def test_killing_the_holder_releases_the_lock(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(InUseError, match=f"process {process.pid} "):
        locked(f"{tmp_path}").__enter__()
    process.kill()
    process.communicate()
    with locked(f"{tmp_path}"):
        pass


def test_a_waiting_training_starts_when_the_other_finishes(tmp_path, capsys):
    started = threading.Event()

    def train():
        with locked(f"{tmp_path}", wait=True):
            started.set()

    thread = threading.Thread(target=train)
    with locked(f"{tmp_path}"):
        thread.start()
        assert not started.wait(0.5)
    thread.join(60)
    assert started.is_set()
    assert "waiting for it to finish" in capsys.readouterr().out


def test_a_training_that_waits_too_long_gives_up(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_lock, "_WAIT_SECONDS", 0.3)
    message = f"process {os.getpid()} .*did not finish in 0.3 s; stop it"
    with locked(f"{tmp_path}"), pytest.raises(InUseError, match=message):
        locked(f"{tmp_path}", wait=True).__enter__()


def test_training_proceeds_where_locks_are_not_supported(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(file_lock.fcntl, "flock", flock)
    with locked(f"{tmp_path}"), locked(f"{tmp_path}"):
        pass
    monkeypatch.setattr(file_lock, "fcntl", None)
    with locked(f"{tmp_path}"), locked(f"{tmp_path}"), locked("gs://bucket/run"):
        pass
