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


def test_what_is_below_a_url_is_copied(store):
    store.pipe({"/bucket/set/a.png": b"a", "/bucket/set/in/b.png": b"b", "/bucket/other": b"c"})
    assert contents(remote.local_copy("memory://bucket/set")) == {"a.png": b"a", "in/b.png": b"b"}


def test_only_what_changed_is_fetched_again(store, monkeypatch):
    store.pipe({"/bucket/set/a.png": b"a", "/bucket/set/b.png": b"b", "/bucket/set/c.png": b"c"})
    folder = remote.local_copy("memory://bucket/set")
    fetched = []
    get_file = type(store).get_file

    def noting(self, source, target, **options):
        fetched.append(source.rsplit("/", 1)[1])
        get_file(self, source, target, **options)

    monkeypatch.setattr(type(store), "get_file", noting)
    assert remote.local_copy("memory://bucket/set/") == folder
    assert fetched == []
    store.pipe("/bucket/set/b.png", b"changed")
    store.rm("/bucket/set/c.png")
    assert contents(remote.local_copy("memory://bucket/set")) == {
        "a.png": b"a",
        "b.png": b"changed",
    }
    assert fetched == ["b.png"]


def test_images_of_a_url_are_those_of_the_folder(store, picture_folders):
    for path in (picture_folders / "train").iterdir():
        store.pipe(f"/bucket/set/{path.name}", path.read_bytes())
    images, expected = open_images("memory://bucket/set"), open_images(picture_folders / "train")
    assert [image.tobytes() for image in images] == [image.tobytes() for image in expected]


def test_a_user_without_a_home_is_told_to_name_a_place(store, no_home, monkeypatch):
    monkeypatch.delenv(remote.CACHE_VARIABLE)
    store.pipe("/bucket/set/a.png", b"a")
    with pytest.raises(
        ValueError, match=r"memory://bucket/set .* set AGARNET_DATA_CACHE to a folder"
    ):
        remote.local_copy("memory://bucket/set")


def test_nothing_there_is_said(store):
    with pytest.raises(FileNotFoundError, match="memory://bucket/none does not exist"):
        remote.local_copy("memory://bucket/none")


@pytest.mark.parametrize("name", ["../../escaped.png", "in//b.png", "/b.png", "in/./b.png"])
def test_names_that_are_no_paths_are_refused(store, monkeypatch, tmp_path, name):
    path = f"/bucket/set/{name}"
    listed = {path: {"name": path, "size": 1, "type": "file"}}
    monkeypatch.setattr(type(store), "find", lambda *_, **__: listed)
    with pytest.raises(ValueError, match=f"holds '{name}', which is no path of a file; rename it"):
        remote.local_copy("memory://bucket/set")
    assert not list(tmp_path.rglob("*.png"))


def test_a_scheme_that_nothing_reads_is_said():
    with pytest.raises(ValueError, match="nowhere://bucket cannot be listed"):
        remote.local_copy("nowhere://bucket")


def test_a_full_disk_is_said_before_anything_is_fetched(store, monkeypatch):
    store.pipe("/bucket/set/a.png", b"a")
    monkeypatch.setattr(remote.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 0}))
    with pytest.raises(ValueError, match=r"set AGARNET_DATA_CACHE to a larger disk"):
        remote.local_copy("memory://bucket/set")


def test_a_fetch_that_was_interrupted_goes_on_where_it_stopped(store, monkeypatch):
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
    """(begun, go on): files are noted when their fetch begins, and go on when they may."""
    begun, go_on = [], threading.Event()
    get_file = type(store).get_file

    def slow(self, source, target, **options):
        begun.append(source.rsplit("/", 1)[1])
        assert go_on.wait(60)
        get_file(self, source, target, **options)

    monkeypatch.setattr(type(store), "get_file", slow)
    store.pipe("/bucket/set/a.png", b"a")
    with concurrent.futures.ThreadPoolExecutor() as pool:  # locks hold among files opened twice
        yield begun, go_on, lambda: pool.submit(remote.local_copy, "memory://bucket/set")
        go_on.set()


def wait_for(holds):
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("waited in vain")


def test_one_process_fetches_while_the_others_wait(fetching, caplog):
    begun, go_on, local_copy = fetching
    first = local_copy()
    wait_for(lambda: begun)
    others = [local_copy() for _ in range(3)]
    wait_for(lambda: caplog.text.count("Waiting for another process that fetches memory://") == 3)
    go_on.set()
    assert {other.result(60) for other in others} == {first.result(60)}
    assert begun == ["a.png"]


def test_one_that_hangs_is_not_waited_for(fetching, caplog, monkeypatch):
    monkeypatch.setattr(remote, "_PATIENCE", 0.3)
    begun, go_on, local_copy = fetching
    first = local_copy()
    wait_for(lambda: begun)
    second = local_copy()
    wait_for(lambda: len(begun) == 2)
    assert "It fetches nothing; going on without it." in caplog.text
    go_on.set()
    assert first.result(60) == second.result(60)
    assert contents(first.result()) == {"a.png": b"a"}


def test_a_copy_that_cannot_be_locked_is_read(store):
    store.pipe("/bucket/set/a.png", b"a")
    folder = pathlib.Path(remote.local_copy("memory://bucket/set"))
    (folder / ".fetching.lock").unlink()
    (folder / ".fetching.lock").mkdir()  # root, as whom tests may run, may open any file
    assert contents(remote.local_copy("memory://bucket/set")) == {"a.png": b"a"}


def test_what_was_abandoned_long_ago_is_cleared(store):
    store.pipe("/bucket/set/a.png", b"a")
    folder = pathlib.Path(remote.local_copy("memory://bucket/set"))
    for name in (".fetching-old", ".fetching-new"):
        (folder / name).mkdir()
    os.utime(folder / ".fetching-old", (0, 0))
    remote.local_copy("memory://bucket/set")
    assert not (folder / ".fetching-old").exists()
    assert (folder / ".fetching-new").exists()


def test_objects_that_stand_for_folders_are_no_files(store, monkeypatch):
    """Consoles of object stores make empty ones, whose names end in a slash."""
    store.pipe("/bucket/set/in/a.png", b"a")
    find = type(store).find
    mark = {"name": "/bucket/set/in/", "size": 0, "type": "file"}

    def with_mark(self, *arguments, **options):
        return find(self, *arguments, **options) | {mark["name"]: mark}

    monkeypatch.setattr(type(store), "find", with_mark)
    assert contents(remote.local_copy("memory://bucket/set")) == {"in/a.png": b"a"}
