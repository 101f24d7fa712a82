import errno
import json
import logging
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from data_pipelines.sources import folder as folder_module
from data_pipelines.sources import header_cache
from data_pipelines.sources.folder import FolderRecords
from data_pipelines.sources.images import ImageSource


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """An empty folder for the header cache."""
    cache = tmp_path_factory.mktemp("headers")
    monkeypatch.setenv(header_cache.CACHE_VARIABLE, str(cache))
    return cache


@pytest.fixture
def folder(tmp_path, astronaut):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for number, name in enumerate(["a.png", "b.JPG", "deep/c.webp", "deep/er/d.bmp"]):
        Image.fromarray(astronaut[number : 40 + number, :48]).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not counted")
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    """Records the names of the files whose headers are read."""
    names = []
    read = folder_module.image_size

    def image_size(path):
        names.append(os.path.basename(path))
        return read(path)

    monkeypatch.setattr(folder_module, "image_size", image_size)
    return names


def test_images_are_found_recursively_in_the_order_of_paths(folder, astronaut):
    records = FolderRecords(folder)
    names = [os.path.relpath(path, folder) for path in records.paths]
    assert names == ["a.png", "b.JPG", "deep/c.webp", "deep/er/d.bmp"]
    assert records.left_out == 0
    np.testing.assert_array_equal(records.read(0), astronaut[:40, :48])
    np.testing.assert_array_equal(records.read(3), astronaut[3:43, :48])


def test_unusable_files_are_named_and_counted(folder, bad_files, odd_files, caplog):
    for name, data in (bad_files | odd_files).items():
        (folder / name).write_bytes(data)
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe.png")
    with caplog.at_level(logging.WARNING):
        source = ImageSource(FolderRecords(folder, min_side=32))
        images = list(source)
    assert len(images) == 4 + len(odd_files) + 2  # the two truncated files have intact headers
    assert source.skipped == len(bad_files) + 2
    for name in (*bad_files, "gone.png", "pipe.png"):
        assert sum(name in record.getMessage() for record in caplog.records) == 1


def test_unusable_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        FolderRecords(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no image of at least 1 pixels.*\.webp"):
        FolderRecords(tmp_path)
    (tmp_path / "x.png").write_text("not an image")
    with pytest.raises(ValueError, match="1 files skipped"):
        FolderRecords(tmp_path)


def test_headers_are_read_once(folder, opened):
    first = FolderRecords(folder).paths
    assert len(opened) == 4
    assert FolderRecords(folder, min_side=16).paths == first
    assert len(opened) == 4


def test_headers_are_read_once_however_the_folder_is_given(folder, opened, monkeypatch):
    monkeypatch.chdir(folder)
    for path in (folder, f"{folder}/", ".", f"../{folder.name}"):
        assert len(FolderRecords(path)) == 4
    assert len(opened) == 4


def test_only_headers_of_changed_files_are_read_again(folder, opened, astronaut):
    (folder / "bad.png").write_text("not an image")
    FolderRecords(folder)
    opened.clear()
    Image.fromarray(astronaut[:20, :20]).save(folder / "a.png")
    (folder / "deep" / "c.webp").unlink()
    Image.fromarray(astronaut[:50, :50]).save(folder / "new.png")
    os.utime(folder / "b.JPG", (1, 1))
    records = FolderRecords(folder, min_side=32)
    assert sorted(opened) == ["a.png", "b.JPG", "new.png"]
    assert [os.path.basename(path) for path in records.paths] == ["b.JPG", "d.bmp", "new.png"]
    assert records.left_out == 2


DAMAGED = (
    "",
    "{",
    "[]",
    '{"version": 2}',
    '{"version": 99}',
    '{"version": 2, "files": null}',
    '{"version": 2, "files": {"a.png": [1]}}',
)


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_cache_is_rebuilt(folder, opened, cache, content):
    FolderRecords(folder)
    (cached,) = cache.iterdir()
    cached.write_text(content)
    assert len(FolderRecords(folder)) == 4
    assert len(opened) == 8
    assert len(json.loads(cached.read_text())["files"]) == 4


def test_folders_can_be_read_without_a_cache(folder, opened, cache, monkeypatch):
    (cache / "file").write_text("")
    for setting in (str(cache / "file" / "below"), "off"):  # unwritable, disabled
        monkeypatch.setenv(header_cache.CACHE_VARIABLE, setting)
        assert len(FolderRecords(folder)) == 4
    assert len(opened) == 8
    assert [path.name for path in cache.iterdir()] == ["file"]


def test_a_user_without_a_home_has_no_cache(folder, opened, no_home, monkeypatch):
    monkeypatch.delenv(header_cache.CACHE_VARIABLE)
    for _ in range(2):
        assert len(FolderRecords(folder)) == 4
    assert len(opened) == 8


def test_system_errors_are_not_cached(folder, monkeypatch):
    original = Image.open

    def failing(file, *arguments):
        if str(file).endswith("a.png"):
            raise OSError(errno.EIO, "Input/output error")
        return original(file, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", failing)
        assert FolderRecords(folder).left_out == 1
    assert FolderRecords(folder).left_out == 0


def test_the_name_of_a_folder_need_not_be_utf8(folder, opened):
    renamed = folder.rename(os.fsdecode(os.fsencode(folder) + b"\xe9"))
    assert len(FolderRecords(renamed)) == len(FolderRecords(renamed)) == 4
    assert len(opened) == 4


def test_a_folder_that_cannot_be_listed_is_named_and_counted(folder, deny_listing, caplog):
    deny_listing(folder / "deep")
    records = FolderRecords(folder)
    assert [os.path.basename(path) for path in records.paths] == ["a.png", "b.JPG"]
    assert records.left_out == 1
    assert f"Skipping {folder / 'deep'}: unreadable: Permission denied" in caplog.text


def test_the_summary_depends_on_the_images_not_on_their_location(folder, tmp_path_factory):
    copy = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(folder, copy)
    summary = ImageSource(FolderRecords(folder)).summary()
    assert ImageSource(FolderRecords(copy)).summary() == summary
    assert summary.startswith("4 images\n")
    with (copy / "b.JPG").open("ab") as file:  # as if saved again with other settings
        file.write(b"more")
    assert ImageSource(FolderRecords(copy)).summary() != summary
    (copy / "b.JPG").unlink()
    assert ImageSource(FolderRecords(copy)).summary().startswith("3 images\n")
