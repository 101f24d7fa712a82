import errno
import os
import stat
import threading

import pytest

from agarnet_jax import atomic_files


def test_a_file_is_replaced(tmp_path):
    path = tmp_path / "file"
    for contents in (b"first", b"second"):
        atomic_files.write(path, contents)
        assert path.read_bytes() == contents
    assert list(tmp_path.iterdir()) == [path]


def test_no_other_file_is_touched(tmp_path):
    other = tmp_path / "file.part"
    other.write_bytes(b"mine")
    atomic_files.write(tmp_path / "file", b"contents")
    assert other.read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["folder", "missing/file"])
def test_where_none_can_be_nothing_is_left(tmp_path, name):
    (tmp_path / "folder").mkdir()
    message = f"{name}' cannot be written: .*"
    with pytest.raises(atomic_files.UnwritableError, match=message + "; name another file"):
        atomic_files.check_file(tmp_path / name)
    with pytest.raises(atomic_files.UnwritableError, match=message):
        atomic_files.write(tmp_path / name, b"contents")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_is_checked_without_being_made(tmp_path):
    (tmp_path / "file").touch()
    for good in (tmp_path, tmp_path / "new" / "folder"):
        atomic_files.check_folder(good)
    for bad in ("file", "file/folder"):
        with pytest.raises(atomic_files.UnwritableError, match=f"{bad}' cannot .* another folder"):
            atomic_files.check_folder(tmp_path / bad)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_ctrl_c_while_writing_leaves_nothing(tmp_path):
    path = tmp_path / "a.png"

    def interrupted():
        with atomic_files.replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"private")
    path.chmod(0o600)
    with atomic_files.replacing(path) as file:
        file.write(b"private, too")
    assert path.read_bytes() == b"private, too"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_is_replaced_keeps_its_owner(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"theirs")
    os.chown(path, 12345, 54321)
    path.chmod(0o640)
    atomic_files.write(path, b"theirs, too")
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 54321, 0o640)


@pytest.mark.skipif(os.geteuid() != 0, reason="others may not be in two groups")
def test_where_only_the_group_can_be_changed_it_is_kept(tmp_path, monkeypatch):
    def of_a_user(path, owner, group, chown=os.chown):
        if owner not in (-1, os.geteuid()):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        chown(path, owner, group)

    path = tmp_path / "a.png"
    path.touch()
    os.chown(path, 12345, 54321)
    monkeypatch.setattr(os, "chown", of_a_user)
    atomic_files.write(path, b"contents")
    assert (path.stat().st_uid, path.stat().st_gid) == (os.geteuid(), 54321)


def test_where_owners_cannot_be_changed_files_are_written(tmp_path, monkeypatch):
    def denied(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chown", denied)
    path = tmp_path / "a.png"
    path.touch(0o600)
    atomic_files.write(path, b"contents")
    assert path.read_bytes() == b"contents"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["pipe", "link"])
def test_no_pipe_or_device_is_replaced(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    message = f"{name}' cannot be written: it is a device or pipe"
    for write in (atomic_files.check_file, lambda path: atomic_files.write(path, b"contents")):
        with pytest.raises(atomic_files.UnwritableError, match=message):
            write(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]
    assert (tmp_path / "link").is_fifo()


def test_unfinished_files_of_all_threads_are_abandoned(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_files, "_beginning", threading.Lock())

    def write(name):
        with atomic_files.replacing(tmp_path / name) as file:
            file.write(b"half")
            assert len(os.listdir(tmp_path)) == 1
            atomic_files.abandon()
            assert os.listdir(tmp_path) == []

    with pytest.raises(FileNotFoundError):
        write("a.png")
    late = threading.Thread(target=write, args=("b.png",), daemon=True)
    late.start()
    late.join(timeout=0.1)
    assert late.is_alive()  # it waits for the end of the process
    assert os.listdir(tmp_path) == []
