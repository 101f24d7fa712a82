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


def test_a_second_training_is_told_who_has_the_folder(tmp_path):
    with locked(f"{tmp_path}"):
        with pytest.raises(InUseError, match=rf"process {os.getpid()} on .*{tmp_path}; give"):
            locked(f"{tmp_path}").__enter__()
        with locked(f"{tmp_path.parent}"):  # another folder
            pass
    with locked(f"{tmp_path}"):
        pass


def test_the_lock_of_a_killed_process_is_gone(tmp_path):
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


def test_one_that_waits_begins_when_the_other_leaves(tmp_path, capsys):
    began = threading.Event()

    def train():
        with locked(f"{tmp_path}", wait=True):
            began.set()

    thread = threading.Thread(target=train)
    with locked(f"{tmp_path}"):
        thread.start()
        assert not began.wait(0.5)
    thread.join(60)
    assert began.is_set()
    assert "waiting until it leaves" in capsys.readouterr().out


def test_one_that_waits_for_a_hanging_training_gives_up(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_lock, "_PATIENCE", 0.3)
    message = f"process {os.getpid()} .*does not leave; end it"
    with locked(f"{tmp_path}"), pytest.raises(InUseError, match=message):
        locked(f"{tmp_path}", wait=True).__enter__()


def test_without_locks_training_goes_on(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(file_lock.fcntl, "flock", flock)
    with locked(f"{tmp_path}"), locked(f"{tmp_path}"):
        pass
    monkeypatch.setattr(file_lock, "fcntl", None)
    with locked(f"{tmp_path}"), locked(f"{tmp_path}"), locked("gs://bucket/run"):
        pass
