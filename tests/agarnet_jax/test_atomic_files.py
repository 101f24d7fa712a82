import errno
import os
import stat
import threading

import pytest

from agarnet_jax import atomic_files


def test_an_existing_file_is_replaced(tmp_path):
    path = tmp_path / "file"
    for contents in (b"first", b"second"):
        atomic_files.write(path, contents)
        assert path.read_bytes() == contents
    assert list(tmp_path.iterdir()) == [path]


def test_other_files_are_not_touched(tmp_path):
    other = tmp_path / "file.part"
    other.write_bytes(b"mine")
    atomic_files.write(tmp_path / "file", b"contents")
    assert other.read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["folder", "missing/file"])
def test_an_unwritable_path_raises_and_leaves_no_files(tmp_path, name):
    (tmp_path / "folder").mkdir()
    message = f"{name}' cannot be written: .*"
    with pytest.raises(atomic_files.UnwritableError, match=message + "; name another file"):
        atomic_files.check_file(tmp_path / name)
    with pytest.raises(atomic_files.UnwritableError, match=message):
        atomic_files.write(tmp_path / name, b"contents")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_check_folder_creates_nothing(tmp_path):
    (tmp_path / "file").touch()
    for good in (tmp_path, tmp_path / "new" / "folder"):
        atomic_files.check_folder(good)
    for bad in ("file", "file/folder"):
        with pytest.raises(atomic_files.UnwritableError, match=f"{bad}' cannot .* another folder"):
            atomic_files.check_folder(tmp_path / bad)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_ctrl_c_while_writing_leaves_no_files(tmp_path):
    path = tmp_path / "a.png"

    def write_interrupted():
        with atomic_files.replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_interrupted()
    assert os.listdir(tmp_path) == []


def test_replacing_a_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"private")
    path.chmod(0o600)
    with atomic_files.replacing(path) as file:
        file.write(b"private, too")
    assert path.read_bytes() == b"private, too"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change owners")
def test_replacing_a_file_keeps_its_owner_and_group(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"theirs")
    os.chown(path, 12345, 54321)
    path.chmod(0o640)
    atomic_files.write(path, b"theirs, too")
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 54321, 0o640)


@pytest.mark.skipif(os.geteuid() != 0, reason="other users may be in only one group")
def test_the_group_is_kept_if_only_the_owner_cannot_be_set(tmp_path, monkeypatch):
    def chown_as_user(path, owner, group, chown=os.chown):
        if owner not in (-1, os.geteuid()):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        chown(path, owner, group)

    path = tmp_path / "a.png"
    path.touch()
    os.chown(path, 12345, 54321)
    monkeypatch.setattr(os, "chown", chown_as_user)
    atomic_files.write(path, b"contents")
    assert (path.stat().st_uid, path.stat().st_gid) == (os.geteuid(), 54321)


def test_files_are_written_even_if_owners_cannot_be_set(tmp_path, monkeypatch):
    def denied(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chown", denied)
    path = tmp_path / "a.png"
    path.touch(0o600)
    atomic_files.write(path, b"contents")
    assert path.read_bytes() == b"contents"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["pipe", "link"])
def test_pipes_and_devices_are_not_replaced(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    message = f"{name}' cannot be written: it is a device or pipe"
    for write in (atomic_files.check_file, lambda path: atomic_files.write(path, b"contents")):
        with pytest.raises(atomic_files.UnwritableError, match=message):
            write(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]
    assert (tmp_path / "link").is_fifo()


def test_abandon_deletes_unfinished_files_and_blocks_new_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_files, "_creation_lock", threading.Lock())

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
    assert late.is_alive()  # blocked until the process ends
    assert os.listdir(tmp_path) == []
