"""`agarnet inspect`, with the real estimator."""

import dataclasses
import json
import re

import pytest

from agarnet_jax.restoration.files import inspection
from agarnet_jax.restoration.traces.grid import Grid


@pytest.fixture
def photo(tmp_path, gray_photo, encode):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode(gray_photo[:64, :64], 25))
    return path


def test_text_and_json_agree(agarnet, photo):
    code, text, err = agarnet("inspect", photo)
    assert (code, err) == (0, [])
    assert "JPEG, 64×64 pixels; gray, sequential; its header states quality 25" in text[0]
    _, lines, _ = agarnet("inspect", photo, "--json")
    plain = json.loads("\n".join(lines))
    assert plain["header"]["quality"] == 25
    assert f"look like JPEG quality {plain['quality']:.0f}" in text[1]


def test_several_files_give_one_line_of_json_each(agarnet, photo, tmp_path):
    (tmp_path / "bad.jpg").write_text("a text")
    several = photo, tmp_path / "bad.jpg", tmp_path / "none.jpg", photo
    code, lines, err = agarnet("inspect", *several, "--json")
    assert code == 1
    assert [" is not an image" in line or " does not exist" in line for line in err] == [True] * 2
    first, bad, missing, last = map(json.loads, lines)
    assert first == last
    alone = json.loads("\n".join(agarnet("inspect", photo, "--json")[1]))
    assert first == {"source": f"{photo}", **alone}
    assert bad["source"] == f"{tmp_path}/bad.jpg"
    assert [f"agarnet: {each['error']}" for each in (bad, missing)] == err


def test_the_json_keys_are_documented(agarnet, photo, tmp_path, repository):
    page = (repository / "docs" / "restoration.md").read_text()
    section = page.split("## What `inspect --json` says")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| (`.+?) \| (.+) \|$", section, re.MULTILINE))
    documented = {key for cell in rows for key in re.findall("`(.+?)`", cell)}
    found, bad = map(json.loads, agarnet("inspect", photo, tmp_path / "none.jpg", "--json")[1])
    assert documented == found.keys() | bad.keys()
    for key, kind in (("header", inspection.HeaderFacts), ("grid", Grid)):
        names = {field.name for field in dataclasses.fields(kind)}
        assert names <= set(re.findall("`(.+?)`", rows[f"`{key}`"]))
        assert found[key] is None or found[key].keys() == names


def test_the_texts_of_several_files_start_with_their_names(agarnet, photo):
    code, lines, err = agarnet("inspect", photo, photo)
    assert (code, err) == (0, [])
    alone = agarnet("inspect", photo)[1]
    assert lines == [f"{photo}:", *alone, ""] * 2


def test_an_unexpected_error_does_not_stop_other_files(agarnet, photo, monkeypatch):
    def broken(*_):
        raise RuntimeError("oh\nno")

    monkeypatch.setattr(inspection, "inspect", broken)
    code, out, err = agarnet("inspect", photo, photo)
    assert (code, out) == (1, [])
    assert err == [f"agarnet: '{photo}': RuntimeError: oh"] * 2


def test_unusable_inputs_and_weights_are_refused(refused, tmp_path, photo):
    assert "does not exist" in refused("inspect", tmp_path / "none.jpg")
    assert "is a folder" in refused("inspect", tmp_path)
    assert "--max-pixels 4096" in refused("inspect", photo, "--max-pixels=4000")
    for photos in ([photo], [photo, photo]):
        assert "'huge'" in refused("inspect", *photos, "--weights=huge")
