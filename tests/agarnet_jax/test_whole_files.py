import os
import stat
import threading

import pytest

from agarnet_jax import whole_files


def test_a_file_is_replaced(tmp_path):
    path = tmp_path / "file"
    for contents in (b"first", b"second"):
        whole_files.write(path, contents)
        assert path.read_bytes() == contents
    assert list(tmp_path.iterdir()) == [path]


def test_no_other_file_is_touched(tmp_path):
    other = tmp_path / "file.part"
    other.write_bytes(b"mine")
    whole_files.write(tmp_path / "file", b"contents")
    assert other.read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["folder", "missing/file"])
def test_where_none_can_be_nothing_is_left(tmp_path, name):
    (tmp_path / "folder").mkdir()
    message = f"{name}' cannot be written: .*"
    with pytest.raises(whole_files.UnwritableError, match=message + "; name another file"):
        whole_files.check_file(tmp_path / name)
    with pytest.raises(whole_files.UnwritableError, match=message):
        whole_files.write(tmp_path / name, b"contents")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_is_checked_without_being_made(tmp_path):
    (tmp_path / "file").touch()
    for good in (tmp_path, tmp_path / "new" / "folder"):
        whole_files.check_folder(good)
    for bad in ("file", "file/folder"):
        with pytest.raises(whole_files.UnwritableError, match=f"{bad}' cannot .* another folder"):
            whole_files.check_folder(tmp_path / bad)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_ctrl_c_while_writing_leaves_nothing(tmp_path):
    path = tmp_path / "a.png"

    def interrupted():
        with whole_files.replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"private")
    path.chmod(0o600)
    with whole_files.replacing(path) as file:
        file.write(b"private, too")
    assert path.read_bytes() == b"private, too"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_unfinished_files_of_all_threads_are_abandoned(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_files, "_beginning", threading.Lock())

    def write(name):
        with whole_files.replacing(tmp_path / name) as file:
            file.write(b"half")
            assert len(os.listdir(tmp_path)) == 1
            whole_files.abandon()
            assert os.listdir(tmp_path) == []

    with pytest.raises(FileNotFoundError):
        write("a.png")
    late = threading.Thread(target=write, args=("b.png",), daemon=True)
    late.start()
    late.join(timeout=0.1)
    assert late.is_alive()  # it waits for the end of the process
    assert os.listdir(tmp_path) == []
