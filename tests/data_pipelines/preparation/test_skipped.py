"""Skipped files and their reasons."""

import os

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("apache_beam")

from data_pipelines.decoding import UnusableImageError
from data_pipelines.preparation import images
from data_pipelines.preparation.run import PreparationError


def test_every_unusable_file_is_listed_with_its_reason(tmp_path, noise, encode, run, records):
    source = tmp_path / "in"
    source.mkdir()
    whole = encode(noise((100, 100, 3)), 90)
    (source / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (source / "empty.png").touch()
    (source / "text.png").write_text("Not an image.")
    (source / "notes.txt").write_text("not counted as an image")
    Image.fromarray(noise((100, 1))).save(source / "narrow.png")
    Image.fromarray(noise((63, 100, 3))).save(source / "small.bmp")
    frames = [Image.fromarray(noise((90, 90), seed)) for seed in range(3)]
    frames[0].save(source / "moving.gif", save_all=True, append_images=frames[1:])
    (source / os.fsdecode(b"caf\xe9.png")).write_bytes(whole)
    os.mkfifo(source / "pipe.png")
    # Valid images:
    Image.fromarray(noise((64, 20_000), 1)).save(source / "wide.png")
    Image.fromarray(noise((80, 90, 4), 2), mode="CMYK").save(source / "cmyk.jpg")
    deep = np.random.default_rng(3).integers(0, 65536, (80, 90)).astype(np.uint16)
    Image.fromarray(deep).save(source / "deep.png")

    manifest = run(source, tmp_path / "out")
    reasons = {file["path"]: file["reason"] for file in manifest["skipped_files"]}
    assert reasons.pop("truncated.jpg").startswith("broken: ")
    assert reasons == {
        "caf\\udce9.png": "name is not UTF-8",
        "empty.png": "empty file",
        "moving.gif": "has several frames",
        "narrow.png": "smaller than 64 pixels a side (1×100)",
        "notes.txt": "not an image suffix",
        "pipe.png": "a device or pipe",
        "small.bmp": "smaller than 64 pixels a side (100×63)",
        "text.png": "not an image",
    }
    assert manifest["skipped"] == {
        "a device or pipe": 1,
        "broken": 1,
        "empty file": 1,
        "has several frames": 1,
        "name is not UTF-8": 1,
        "not an image": 1,
        "not an image suffix": 1,
        "smaller than 64 pixels a side": 2,
    }
    valid = {(source / name).read_bytes() for name in ("wide.png", "cmyk.jpg", "deep.png")}
    assert set(records(tmp_path / "out")) == valid


def test_dangling_links_and_unlistable_folders_are_errors(folder, tmp_path, run, deny_listing):
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    with pytest.raises(OSError, match=r"gone\.png' cannot be read \(No such file .*move it away"):
        run(folder, tmp_path / "out")
    (folder / "gone.png").unlink()
    deny_listing(folder / "deep")
    with pytest.raises(OSError, match=r"deep' cannot be read \(Permission denied\)"):
        run(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_images_above_twice_pillows_pixel_limit_are_skipped(tmp_path, run):
    source = tmp_path / "in"
    source.mkdir()
    for name, side in (("above_limit.png", 9_600), ("above_twice_the_limit.png", 13_500)):
        Image.new("1", (side, side)).save(source / name)
    manifest = run(source, tmp_path / "out")
    assert manifest["pixels"] == 9_600**2
    assert manifest["skipped"] == {"unreadable": 1}
    assert "above_twice_the_limit.png" in str(manifest["skipped_files"])


def test_reasons_contain_no_memory_addresses(tmp_path, monkeypatch):
    """Addresses would differ from run to run."""

    def decode(content):
        raise UnusableImageError(f"broken: {object()}\nat line 2")

    monkeypatch.setattr(images, "decode", decode)
    skipped = images.verify("x.png", b"", min_side=1)
    assert skipped.reason == "broken: <object object at 0x…> at line 2"


def test_a_folder_without_usable_images_is_an_error_with_counts(tmp_path, noise, run, contents):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (source / "a.txt").touch()
    with pytest.raises(PreparationError, match=r"None of the 1 files .* is an image"):
        run(source, out)
    Image.fromarray(noise((20, 20))).save(source / "b.png")
    (source / "c.png").touch()
    with pytest.raises(PreparationError, match="3 files skipped: 1 empty file, 1 not an image suf"):
        run(source, out)
    assert contents(out) == {}
