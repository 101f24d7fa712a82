import errno
import os

import pytest

from agarnet_jax.restoration.files import backups
from agarnet_jax.restoration.files.errors import InputError


def test_backups_never_replace_each_other(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    for number, name in enumerate(("a.jpg.orig", "a.jpg.orig1", "a.jpg.orig2")):
        path.write_bytes(b"%d" % number)
        assert backups.back_up(path).name == name
        path.unlink()

    def unsupported(*_args, **_kwargs):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", unsupported)
    path.write_bytes(b"3")
    assert backups.back_up(path).read_bytes() == b"3"
    assert sorted(p.read_bytes() for p in tmp_path.glob("*.orig*")) == [b"0", b"1", b"2", b"3"]

    def full(_, copy):
        copy.write(b"half of")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(backups.shutil, "copyfileobj", full)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"cannot be backed up as .*No space left"):
        backups.back_up(path)
    assert sorted(tmp_path.iterdir()) == before


def test_a_backup_created_concurrently_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"original")

    def link(_, backup):
        (tmp_path / "a.jpg.orig").write_bytes(b"theirs")
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", link)
    assert backups.back_up(path).read_bytes() == b"original"
    assert (tmp_path / "a.jpg.orig").read_bytes() == b"theirs"


def test_a_copied_backup_keeps_permissions_and_modification_time(tmp_path, monkeypatch):
    def unsupported(*_args, **_kwargs):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", unsupported)
    path = tmp_path / "a.jpg"
    path.write_bytes(b"private")
    path.chmod(0o600)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    status = backups.back_up(path).stat()
    assert (status.st_mode & 0o777, status.st_mtime) == (0o600, 1_000_000_000)
