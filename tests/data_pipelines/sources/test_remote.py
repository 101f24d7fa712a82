import concurrent.futures
import os
import pathlib
import threading
import time

import fsspec
import pytest

from data_pipelines.sources import remote
from data_pipelines.sources.opening import open_images


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An object store in memory; copies go below `tmp_path / "copies"`."""
    monkeypatch.setenv(remote.CACHE_VARIABLE, str(tmp_path / "copies"))
    store = fsspec.filesystem("memory")
    yield store
    store.store.clear()


def contents(folder):
    files = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if path.name not in (".fetched.jsonl", ".fetching.lock")
    }


def test_files_below_a_url_are_copied(store):
    store.pipe({"/bucket/set/a.png": b"a", "/bucket/set/in/b.png": b"b", "/bucket/other": b"c"})
    assert contents(remote.local_copy("memory://bucket/set")) == {"a.png": b"a", "in/b.png": b"b"}


def test_only_changed_files_are_fetched_again(store, monkeypatch):
    store.pipe({"/bucket/set/a.png": b"a", "/bucket/set/b.png": b"b", "/bucket/set/c.png": b"c"})
    folder = remote.local_copy("memory://bucket/set")
    fetched = []
    get_file = type(store).get_file

    def recording(self, source, target, **options):
        fetched.append(source.rsplit("/", 1)[1])
        get_file(self, source, target, **options)

    monkeypatch.setattr(type(store), "get_file", recording)
    assert remote.local_copy("memory://bucket/set/") == folder
    assert fetched == []
    store.pipe("/bucket/set/b.png", b"changed")
    store.rm("/bucket/set/c.png")
    assert contents(remote.local_copy("memory://bucket/set")) == {
        "a.png": b"a",
        "b.png": b"changed",
    }
    assert fetched == ["b.png"]


def test_images_from_a_url_equal_those_of_the_folder(store, picture_folders):
    for path in (picture_folders / "train").iterdir():
        store.pipe(f"/bucket/set/{path.name}", path.read_bytes())
    images, expected = open_images("memory://bucket/set"), open_images(picture_folders / "train")
    assert [image.tobytes() for image in images] == [image.tobytes() for image in expected]


def test_a_user_without_a_home_must_name_a_folder(store, no_home, monkeypatch):
    monkeypatch.delenv(remote.CACHE_VARIABLE)
    store.pipe("/bucket/set/a.png", b"a")
    with pytest.raises(
        ValueError, match=r"memory://bucket/set .* set AGARNET_DATA_CACHE to a folder"
    ):
        remote.local_copy("memory://bucket/set")


def test_an_empty_url_is_reported(store):
    with pytest.raises(FileNotFoundError, match="memory://bucket/none does not exist"):
        remote.local_copy("memory://bucket/none")


@pytest.mark.parametrize("name", ["../../escaped.png", "in//b.png", "/b.png", "in/./b.png"])
def test_names_that_are_not_valid_paths_are_rejected(store, monkeypatch, tmp_path, name):
    path = f"/bucket/set/{name}"
    listed = {path: {"name": path, "size": 1, "type": "file"}}
    monkeypatch.setattr(type(store), "find", lambda *_, **__: listed)
    with pytest.raises(ValueError, match=f"holds '{name}', which is not a valid path; rename the"):
        remote.local_copy("memory://bucket/set")
    assert not list(tmp_path.rglob("*.png"))


def test_an_unknown_scheme_is_reported():
    with pytest.raises(ValueError, match="nowhere://bucket cannot be listed"):
        remote.local_copy("nowhere://bucket")


def test_a_full_disk_is_reported_before_anything_is_fetched(store, monkeypatch):
    store.pipe("/bucket/set/a.png", b"a")
    monkeypatch.setattr(remote.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 0}))
    with pytest.raises(ValueError, match=r"set AGARNET_DATA_CACHE to a larger disk"):
        remote.local_copy("memory://bucket/set")


def test_an_interrupted_fetch_resumes_where_it_stopped(store, monkeypatch):
    names = [f"{number:02}.png" for number in range(20)]
    store.pipe({f"/bucket/set/{name}": name.encode() for name in names})
    fetched = []
    get_file = type(store).get_file

    def failing_once(self, source, target, **options):
        name = source.rsplit("/", 1)[1]
        fetched.append(name)
        if name == "17.png" and fetched.count(name) == 1:
            raise RuntimeError("connection lost")
        get_file(self, source, target, **options)

    monkeypatch.setattr(type(store), "get_file", failing_once)
    with pytest.raises(ValueError, match=r"cannot be fetched \(connection lost\); the same"):
        remote.local_copy("memory://bucket/set")
    done = set(fetched) - {"17.png"}
    assert done
    folder = remote.local_copy("memory://bucket/set")
    assert all(fetched.count(name) == 1 for name in done)
    assert sorted(contents(folder)) == names


@pytest.fixture
def fetching(store, monkeypatch):
    """Yields (started, release, local_copy).

    `started` records the name of each file whose fetch has started; no fetch completes before
    `release` is set; `local_copy` copies the folder in another thread and returns a future.
    """
    started, release = [], threading.Event()
    get_file = type(store).get_file

    def slow(self, source, target, **options):
        started.append(source.rsplit("/", 1)[1])
        assert release.wait(60)
        get_file(self, source, target, **options)

    monkeypatch.setattr(type(store), "get_file", slow)
    store.pipe("/bucket/set/a.png", b"a")
    with concurrent.futures.ThreadPoolExecutor() as pool:  # file locks work between threads too
        yield started, release, lambda: pool.submit(remote.local_copy, "memory://bucket/set")
        release.set()


def wait_for(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("timed out")


def test_one_process_fetches_while_the_others_wait(fetching, caplog):
    started, release, local_copy = fetching
    first = local_copy()
    wait_for(lambda: started)
    others = [local_copy() for _ in range(3)]
    message = "Waiting for another process that is fetching memory://"
    wait_for(lambda: caplog.text.count(message) == 3)
    release.set()
    assert {other.result(60) for other in others} == {first.result(60)}
    assert started == ["a.png"]


def test_a_process_does_not_wait_for_one_that_hangs(fetching, caplog, monkeypatch):
    monkeypatch.setattr(remote, "_STALL_SECONDS", 0.3)
    started, release, local_copy = fetching
    first = local_copy()
    wait_for(lambda: started)
    second = local_copy()
    wait_for(lambda: len(started) == 2)
    assert "The other process makes no progress; fetching in this one." in caplog.text
    release.set()
    assert first.result(60) == second.result(60)
    assert contents(first.result()) == {"a.png": b"a"}


def test_a_copy_that_cannot_be_locked_is_read(store):
    store.pipe("/bucket/set/a.png", b"a")
    folder = pathlib.Path(remote.local_copy("memory://bucket/set"))
    (folder / ".fetching.lock").unlink()
    (folder / ".fetching.lock").mkdir()  # not even root, who may run the tests, can open it
    assert contents(remote.local_copy("memory://bucket/set")) == {"a.png": b"a"}


def test_long_abandoned_partial_files_are_deleted(store):
    store.pipe("/bucket/set/a.png", b"a")
    folder = pathlib.Path(remote.local_copy("memory://bucket/set"))
    for name in (".fetching-old", ".fetching-new"):
        (folder / name).mkdir()
    os.utime(folder / ".fetching-old", (0, 0))
    remote.local_copy("memory://bucket/set")
    assert not (folder / ".fetching-old").exists()
    assert (folder / ".fetching-new").exists()


def test_placeholder_objects_for_folders_are_ignored(store, monkeypatch):
    """Consoles of object stores create empty objects whose names end in a slash."""
    store.pipe("/bucket/set/in/a.png", b"a")
    find = type(store).find
    placeholder = {"name": "/bucket/set/in/", "size": 0, "type": "file"}

    def with_placeholder(self, *arguments, **options):
        return find(self, *arguments, **options) | {placeholder["name"]: placeholder}

    monkeypatch.setattr(type(store), "find", with_placeholder)
    assert contents(remote.local_copy("memory://bucket/set")) == {"in/a.png": b"a"}
