import errno
import fcntl

import pytest

from agarnet_jax import file_lock


@pytest.fixture
def handles(tmp_path):
    """One file opened twice, as two processes would."""
    with open(tmp_path / "x", "a") as first, open(tmp_path / "x", "a") as second:
        yield first, second


def test_the_lock_is_exclusive_until_its_file_is_closed(handles):
    first, second = handles
    assert file_lock.acquire(first)
    assert file_lock.acquire(first)  # already held
    assert not file_lock.acquire(second)
    assert not file_lock.acquire(second, timeout=0.2)
    first.close()
    assert file_lock.acquire(second)


def test_acquire_waits_for_the_holder(handles, monkeypatch):
    first, second = handles
    assert file_lock.acquire(first)
    monkeypatch.setattr(file_lock.time, "sleep", lambda _: first.close())
    assert file_lock.acquire(second, timeout=60)


def test_acquire_succeeds_where_locks_are_not_supported(handles, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    for fake in (None, fcntl):
        monkeypatch.setattr(file_lock, "fcntl", fake)
        monkeypatch.setattr(fcntl, "flock", unsupported)
        assert all(file_lock.acquire(file) for file in handles)
