import errno
import json
import logging
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from data_pipelines.sources import folder as folder_module
from data_pipelines.sources import manifest_cache
from data_pipelines.sources.folder import FolderRecords
from data_pipelines.sources.images import ImageSource


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """The place of manifests, empty."""
    place = tmp_path_factory.mktemp("manifests")
    monkeypatch.setenv(manifest_cache.CACHE_VARIABLE, str(place))
    return place


@pytest.fixture
def folder(tmp_path, astronaut):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for number, name in enumerate(["a.png", "b.JPG", "deep/c.webp", "deep/er/d.bmp"]):
        Image.fromarray(astronaut[number : 40 + number, :48]).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not counted")
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    """The names of files whose headers are read."""
    names = []
    read = folder_module.image_size

    def image_size(path):
        names.append(os.path.basename(path))
        return read(path)

    monkeypatch.setattr(folder_module, "image_size", image_size)
    return names


def test_is_recursive_and_in_the_order_of_paths(folder, astronaut):
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
    assert len(images) == 4 + len(odd_files) + 2  # the truncated ones have good headers
    assert source.skipped == len(bad_files) + 2
    for name in (*bad_files, "gone.png", "pipe.png"):
        assert sum(name in record.getMessage() for record in caplog.records) == 1


def test_unusable_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        FolderRecords(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no image of at least 1 pixels.*\.webp"):
        FolderRecords(tmp_path)
    (tmp_path / "x.png").write_text("no image")
    with pytest.raises(ValueError, match="1 files left out"):
        FolderRecords(tmp_path)


def test_headers_are_read_once(folder, opened):
    first = FolderRecords(folder).paths
    assert len(opened) == 4
    assert FolderRecords(folder, min_side=16).paths == first
    assert len(opened) == 4


def test_headers_are_read_once_however_the_folder_is_given(folder, opened, monkeypatch):
    monkeypatch.chdir(folder)
    for place in (folder, f"{folder}/", ".", f"../{folder.name}"):
        assert len(FolderRecords(place)) == 4
    assert len(opened) == 4


def test_a_changed_folder_is_read_where_it_changed(folder, opened, astronaut):
    (folder / "bad.png").write_text("no image")
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
def test_a_damaged_manifest_costs_only_time(folder, opened, cache, content):
    FolderRecords(folder)
    (manifest,) = cache.iterdir()
    manifest.write_text(content)
    assert len(FolderRecords(folder)) == 4
    assert len(opened) == 8
    assert len(json.loads(manifest.read_text())["files"]) == 4


def test_a_cache_that_cannot_be_written_or_is_off(folder, opened, cache, monkeypatch):
    (cache / "file").write_text("")
    for place in (str(cache / "file" / "below"), "off"):
        monkeypatch.setenv(manifest_cache.CACHE_VARIABLE, place)
        assert len(FolderRecords(folder)) == 4
    assert len(opened) == 8
    assert [path.name for path in cache.iterdir()] == ["file"]


def test_a_user_without_a_home_has_no_cache(folder, opened, no_home, monkeypatch):
    monkeypatch.delenv(manifest_cache.CACHE_VARIABLE)
    for _ in range(2):
        assert len(FolderRecords(folder)) == 4
    assert len(opened) == 8


def test_what_the_system_did_not_hand_over_is_asked_for_again(folder, monkeypatch):
    opening = Image.open

    def failing(file, *arguments):
        if str(file).endswith("a.png"):
            raise OSError(errno.EIO, "Input/output error")
        return opening(file, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", failing)
        assert FolderRecords(folder).left_out == 1
    assert FolderRecords(folder).left_out == 0


def test_a_folder_whose_name_is_not_utf8(folder, opened):
    place = folder.rename(os.fsdecode(os.fsencode(folder) + b"\xe9"))
    assert len(FolderRecords(place)) == len(FolderRecords(place)) == 4
    assert len(opened) == 4


def test_a_folder_that_cannot_be_listed_is_named_and_counted(folder, deny_listing, caplog):
    deny_listing(folder / "deep")
    records = FolderRecords(folder)
    assert [os.path.basename(path) for path in records.paths] == ["a.png", "b.JPG"]
    assert records.left_out == 1
    assert f"Skipping {folder / 'deep'}: unreadable: Permission denied" in caplog.text


def test_a_summary_is_of_the_images_wherever_they_lie(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(folder, elsewhere)
    here, there = (ImageSource(FolderRecords(place)).summary() for place in (folder, elsewhere))
    assert here == there
    assert here.startswith("4 images\n")
    with (elsewhere / "b.JPG").open("ab") as file:  # it may have been saved with other settings
        file.write(b"more")
    assert ImageSource(FolderRecords(elsewhere)).summary() != here
    (elsewhere / "b.JPG").unlink()
    assert ImageSource(FolderRecords(elsewhere)).summary().startswith("3 images\n")
