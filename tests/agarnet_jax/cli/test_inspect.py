"""`agarnet inspect`, with the real estimator."""

import json

import pytest


@pytest.fixture
def photo(tmp_path, gray_photo, encode):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode(gray_photo[:64, :64], 25))
    return path


def test_words_and_json_say_the_same(agarnet, photo):
    code, words, err = agarnet("inspect", photo)
    assert (code, err) == (0, [])
    assert "JPEG, 64×64 pixels; gray, sequential; its header says quality 25" in words[0]
    _, lines, _ = agarnet("inspect", photo, "--json")
    plain = json.loads("\n".join(lines))
    assert plain["header"]["quality"] == 25
    assert f"look like JPEG quality {plain['quality']:.0f}" in words[1]


def test_what_cannot_be_read_is_named(refused, tmp_path, photo):
    assert "does not exist" in refused("inspect", tmp_path / "none.jpg")
    assert "is a folder" in refused("inspect", tmp_path)
    assert "--max-pixels 4096" in refused("inspect", photo, "--max-pixels=4000")
    assert "'huge'" in refused("inspect", photo, "--weights=huge")
