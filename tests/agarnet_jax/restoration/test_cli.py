"""The command as users run it, in this process; one test starts the installed script."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.restoration import cli


@pytest.fixture(scope="module")
def photo(tmp_path_factory, astronaut, encode):
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    profile = b"not a real profile, carried all the same"
    path.write_bytes(encode(astronaut[:96, 120:248], 25, icc_profile=profile))
    return path


def refused(capsys, *arguments):
    """Runs a command that must fail on its input; returns its one line."""
    assert cli.main([str(a) for a in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("agarnet: ")
    return line


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "bmp", "jpg"])
def test_writes_every_format(photo, tmp_path, suffix):
    out = tmp_path / f"out.{suffix}"
    assert cli.main(["restore", str(photo), "-o", str(out)]) == 0
    with Image.open(out) as image:
        assert image.size == (128, 96)
        assert image.mode == "RGB"
        if suffix not in ("bmp",):
            assert image.info["icc_profile"].startswith(b"not a real profile")
    assert [p.name for p in tmp_path.iterdir()] == [out.name]


def test_lossless_formats_hold_the_same_picture(photo, tmp_path):
    pictures = []
    for suffix in ("png", "webp", "tiff"):
        out = tmp_path / f"out.{suffix}"
        cli.main(["restore", str(photo), "-o", str(out)])
        pictures.append(np.asarray(Image.open(out)))
    assert (pictures[0] == pictures[1]).all()
    assert (pictures[0] == pictures[2]).all()
    assert (pictures[0] != np.asarray(Image.open(photo))).any()


def test_default_output_stands_beside_the_input(photo, tmp_path, capsys):
    copy = tmp_path / "holiday.jpg"
    copy.write_bytes(photo.read_bytes())
    assert cli.main(["restore", str(copy)]) == 0
    assert (tmp_path / "holiday_restored.png").is_file()
    assert copy.read_bytes() == photo.read_bytes()
    assert "assuming JPEG quality" in capsys.readouterr().out


@pytest.mark.parametrize(("choice", "stated"), [("header", "25"), ("60", "60")])
def test_quality_from_header_or_number(photo, tmp_path, capsys, choice, stated):
    out = tmp_path / "out.png"
    assert cli.main(["restore", str(photo), "-o", str(out), "--quality", choice]) == 0
    assert f"JPEG quality {stated}" in capsys.readouterr().out


def test_quality_map_is_another_estimate(photo, tmp_path):
    assert cli.main(["restore", str(photo), "-o", str(tmp_path / "m.png"), "--quality=map"]) == 0


def test_header_quality_of_a_png_is_refused(tmp_path, capsys):
    path = tmp_path / "a.png"
    Image.new("L", (8, 8)).save(path)
    line = refused(capsys, "restore", path, "-o", tmp_path / "b.png", "--quality=header")
    assert "--quality auto" in line
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize("quality", ["0", "101", "high", "nan"])
def test_impossible_quality(photo, tmp_path, capsys, quality):
    assert repr(quality) in refused(capsys, "restore", photo, f"--quality={quality}")
    assert sorted(p.name for p in photo.parent.iterdir()) == ["photo.jpg"]


def test_unusable_inputs(photo, tmp_path, capsys):
    text = tmp_path / "text.jpg"
    text.write_text("not an image")
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(photo.read_bytes()[:-300])
    before = sorted(tmp_path.iterdir())
    assert "not an image" in refused(capsys, "restore", text)
    assert "not an image" in refused(capsys, "restore", empty)
    assert "cut.jpg" in refused(capsys, "restore", cut)
    assert "does not exist" in refused(capsys, "restore", tmp_path / "none.jpg")
    assert "is a folder" in refused(capsys, "restore", tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_unusable_outputs(photo, tmp_path, capsys):
    contents = photo.read_bytes()
    assert "does not exist" in refused(capsys, "restore", photo, "-o", tmp_path / "no/x.png")
    assert "image suffix" in refused(capsys, "restore", photo, "-o", tmp_path / "x.gif")
    assert "is the input" in refused(capsys, "restore", photo, "-o", photo)
    folder = tmp_path / "folder.png"
    folder.mkdir()
    assert "is a folder" in refused(capsys, "restore", photo, "-o", folder)
    assert photo.read_bytes() == contents
    assert [p.name for p in tmp_path.iterdir()] == ["folder.png"]


def test_unknown_weights_are_named(photo, tmp_path, capsys):
    out = tmp_path / "x.png"
    assert "'huge'" in refused(capsys, "restore", photo, "-o", out, "--weights=huge")
    assert not out.exists()


def test_a_failed_write_leaves_nothing(photo, tmp_path, capsys, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    assert "No space left" in refused(capsys, "restore", photo, "-o", tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_the_module_runs_as_a_program(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "agarnet_jax.restoration.cli", "restore", tmp_path / "none.jpg"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
