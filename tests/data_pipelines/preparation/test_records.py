"""The shards and the manifest of a valid folder."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("apache_beam")

from array_record.python.array_record_module import ArrayRecordReader

from data_pipelines.preparation import shards


def test_records_hold_the_bytes_of_the_files(folder, tmp_path, run, records, pixels_of):
    manifest = run(folder, tmp_path / "out", shards=2)
    originals = {path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert set(records(tmp_path / "out")) == originals
    assert manifest["images"] == manifest["records"] == len(originals) == 6
    assert manifest["input"]["files"] == 6
    assert manifest["input"]["bytes"] == sum(map(len, originals))
    decoded = [pixels_of(content) for content in originals]
    assert manifest["pixels"] == sum(image.shape[0] * image.shape[1] for image in decoded)
    assert manifest["min_side"] == min(min(image.shape[:2]) for image in decoded)
    assert manifest["skipped"] == {}
    assert manifest["skipped_files"] == []


def test_the_manifest_matches_the_shards_and_has_no_local_paths(folder, tmp_path, run, contents):
    out = tmp_path / "out"
    manifest = run(folder, out, shards=3)
    assert manifest == json.loads((out / "manifest.json").read_text())
    assert str(tmp_path) not in (out / "manifest.json").read_text()
    assert sorted(contents(out)) == [
        *(f"images-0000{index}-of-00003.array_record" for index in range(3)),
        "manifest.json",
    ]
    for shard in manifest["shards"]:
        content = (out / shard["name"]).read_bytes()
        assert len(content) == shard["bytes"]
        assert hashlib.sha256(content).hexdigest() == shard["sha256"]
        reader = ArrayRecordReader(str(out / shard["name"]))
        assert reader.num_records() == shard["records"]
        reader.close()
    assert {key: manifest[key] for key in ("format", "version", "options")} == {
        "format": "agarnet-images",
        "version": 1,
        "options": {"tile": 0, "min_side": 64, "shards": 3},
    }


def test_images_with_equal_pixels_are_kept_once(tmp_path, noise, run, records):
    source = tmp_path / "in"
    (source / "x").mkdir(parents=True)
    gray = noise((70, 80))
    rgb = np.repeat(gray[..., None], 3, axis=2)
    for name, image in [
        ("m.png", rgb),
        ("c.bmp", rgb),
        ("x/b.tif", rgb),
        ("gray.png", gray),  # images of another shape are not duplicates
        ("other.png", gray.reshape(80, 70)),
    ]:
        Image.fromarray(image).save(source / name)
    manifest = run(source, tmp_path / "out")
    assert manifest["images"] == 3
    assert manifest["skipped"] == {"duplicate": 2}
    assert manifest["skipped_files"] == [
        {"path": "m.png", "reason": "duplicate of c.bmp"},
        {"path": "x/b.tif", "reason": "duplicate of c.bmp"},
    ]
    assert (source / "c.bmp").read_bytes() in records(tmp_path / "out")


def test_there_may_be_more_shards_than_images(folder, tmp_path, run, records):
    manifest = run(folder, tmp_path / "many", shards=20)
    assert len(manifest["shards"]) == 20
    assert sorted(shard["records"] for shard in manifest["shards"])[:14] == [0] * 14
    assert len(records(tmp_path / "many")) == 6
    assert manifest["min_side"] > 0


def test_the_default_number_of_shards_follows_from_the_bytes(folder, tmp_path, monkeypatch, run):
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    monkeypatch.setattr(shards, "_SHARD_BYTES", total // 2 - 1)
    assert len(run(folder, tmp_path / "sized")["shards"]) == 3
