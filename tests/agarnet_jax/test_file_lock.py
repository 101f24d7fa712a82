import errno
import fcntl

import pytest

from agarnet_jax import file_lock


@pytest.fixture
def pair(tmp_path):
    """A file opened twice, as two processes would."""
    with open(tmp_path / "x", "a") as one, open(tmp_path / "x", "a") as other:
        yield one, other


def test_one_has_the_lock_until_its_file_is_closed(pair):
    one, other = pair
    assert file_lock.taken(one)
    assert file_lock.taken(one)  # it is ours already
    assert not file_lock.taken(other)
    assert not file_lock.taken(other, within=0.2)
    one.close()
    assert file_lock.taken(other)


def test_the_other_is_waited_for(pair, monkeypatch):
    one, other = pair
    assert file_lock.taken(one)
    monkeypatch.setattr(file_lock.time, "sleep", lambda _: one.close())
    assert file_lock.taken(other, within=60)


def test_where_there_are_no_locks_all_have_them(pair, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    for fake in (None, fcntl):
        monkeypatch.setattr(file_lock, "fcntl", fake)
        monkeypatch.setattr(fcntl, "flock", unsupported)
        assert all(file_lock.taken(file) for file in pair)
