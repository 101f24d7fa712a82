import itertools
import os
import pathlib
import unicodedata

import pytest

from agarnet_jax.restoration.files import folders
from agarnet_jax.restoration.files.folders import OutputNames


@pytest.fixture
def tree(tmp_path):
    for name in (
        "b.jpg",
        "a.PNG",
        "notes.txt",
        ".hidden.jpg",
        "sub/c.jpeg",
        "sub/deeper/d.tif",
        ".git/e.jpg",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def relative(found):
    return [f"{item.relative}" for item in found]


def test_finds_the_image_files_of_a_folder(tree):
    assert relative(folders.find([tree], recursive=False)) == ["a.PNG", "b.jpg"]
    all_files = ["a.PNG", "b.jpg", "sub/c.jpeg", "sub/deeper/d.tif"]
    assert relative(folders.find([tree], recursive=True)) == all_files
    others = folders.find([tree], recursive=True, excluding=[tree / "sub"])
    assert relative(others) == ["a.PNG", "b.jpg"]


def test_given_files_are_kept_in_order_without_duplicates(tree):
    inputs = [tree / "notes.txt", tree / "none.jpg", tree / "b.jpg", tree]
    found = list(folders.find(inputs, recursive=False))
    assert relative(found) == ["notes.txt", "none.jpg", "b.jpg", "a.PNG"]


def test_link_loops_are_searched_once(tree, monkeypatch):
    searched = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: searched.append(path) or listdir(path))
    (tree / "sub" / "up").symlink_to(tree)
    (tree / "self.jpg").symlink_to(tree / "self.jpg")
    (tree / "z_again").symlink_to(tree / "sub" / "deeper")
    found = relative(folders.find([tree], recursive=True))
    assert found == ["a.PNG", "b.jpg", "self.jpg", "sub/c.jpeg", "sub/deeper/d.tif"]
    assert searched == [tree, tree / "sub", tree / "sub" / "deeper"]


def test_an_unreadable_folder_is_reported(tree, monkeypatch):
    listdir = os.listdir

    def denied(path):
        if pathlib.Path(path).name == "deeper":
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", denied)
    found = list(folders.find([tree], recursive=True))
    assert [item.problem for item in found if item.problem] == [
        "it cannot be searched: Permission denied"
    ]
    assert len(found) == 4


def test_colliding_names_get_distinct_outputs(tmp_path):
    sources = [
        pathlib.Path(name) for name in ("x/a.jpg", "x/a.png", "y/a.jpg", "z/a.jpg", "y/A.webp")
    ]
    names = OutputNames(ending=".png", inputs=sources)
    outputs = [names.output(source, folder=tmp_path).name for source in sources]
    assert outputs == ["a.png", "a_png.png", "a_jpg.png", "a_jpg-2.png", "A_webp.png"]
    sources = [pathlib.Path("x/a.JPG"), pathlib.Path("y/a.jpg")]
    names = OutputNames(ending=".png", inputs=sources)
    assert [names.output(s, folder=tmp_path).name for s in sources] == ["a.png", "a_jpg.png"]


def test_no_output_replaces_an_input(tmp_path):
    jpeg, png = tmp_path / "a.jpg", tmp_path / "a.png"
    for order in itertools.permutations([jpeg, png]):
        names = OutputNames(ending=".png", inputs=order)
        outputs = {source: names.output(source, folder=tmp_path).name for source in order}
        assert outputs[jpeg] != "a.png"
        assert len(set(outputs.values())) == 2
        assert outputs[png] != "a.png"


def test_no_output_replaces_an_input_that_differs_in_case_only(tmp_path):
    """On some systems, A.PNG is a.png."""
    sources = [tmp_path / "a.jpg", tmp_path / "A.PNG"]
    names = OutputNames(ending=".png", inputs=sources)
    assert [names.output(s, folder=tmp_path).name for s in sources] == ["a_jpg.png", "A_PNG.png"]


def test_outputs_differ_after_unicode_normalization(tmp_path):
    """On macOS, both ways to encode é are the same name."""
    composed, decomposed = (unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD"))
    sources = [tmp_path / "x" / composed, tmp_path / "y" / decomposed]
    names = OutputNames(ending=".png", inputs=sources)
    outputs = {names.output(source, folder=tmp_path).name for source in sources}
    assert len({unicodedata.normalize("NFC", output) for output in outputs}) == 2


def test_an_earlier_output_that_is_now_an_input_is_not_reused(tmp_path):
    first, result = tmp_path / "a.jpg", tmp_path / "a_restored.png"
    earlier = {os.path.abspath(first): os.path.abspath(result)}
    names = OutputNames(ending="_restored.png", inputs=[first, result], earlier=earlier)
    assert names.output(first, folder=tmp_path).name == "a_jpg_restored.png"


def test_each_candidate_name_is_tried_once_for_many_inputs_of_one_name(tmp_path, monkeypatch):
    tried = []
    monkeypatch.setattr(OutputNames, "_is_input", lambda _, output: tried.append(output))
    sources = [tmp_path / f"{number}" / "cover.jpg" for number in range(100)]
    names = OutputNames(ending=".png", inputs=sources)
    outputs = {names.output(source, folder=tmp_path / "out") for source in sources}
    assert len(outputs) == len(tried) == 100


def test_outputs_of_an_earlier_run_keep_their_names(tmp_path):
    first, second = pathlib.Path("x/a.jpg"), pathlib.Path("y/a.jpg")
    earlier = {os.path.abspath(second): os.path.abspath(tmp_path / "a.png")}
    names = OutputNames(ending=".png", inputs=[first, second], earlier=earlier)
    assert names.output(first, folder=tmp_path).name == "a_jpg.png"
    assert names.output(second, folder=tmp_path).name == "a.png"
    elsewhere = OutputNames(ending=".tif", inputs=[first, second], earlier=earlier)
    assert elsewhere.output(second, folder=tmp_path).name == "a.tif"


@pytest.mark.parametrize("stem", ["x" * 251, "ü" * 125, os.fsdecode(b"\xe9") * 250])
def test_long_names_are_shortened(tmp_path, stem):
    name = folders.fitting_name(stem, "_restored.png")
    assert name.endswith("_restored.png")
    (tmp_path / name).touch()
    assert len(os.fsencode(name)) >= 254
    assert folders.fitting_name("short", ".png") == "short.png"
