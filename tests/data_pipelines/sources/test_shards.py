import hashlib
import json
import pickle
import shutil

import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image

from data_pipelines.sources.opening import open_images
from data_pipelines.sources.shards import ShardRecords


@pytest.fixture
def prepared(tmp_path, astronaut, encode):
    """Three shards of 2, 0 and 3 JPEGs, as `experiments.prepare` writes them."""
    shards = []
    for number, count in enumerate((2, 0, 3)):
        path = tmp_path / f"images-{number:05d}-of-00003.array_record"
        writer = ArrayRecordWriter(str(path), "group_size:1")
        for i in range(count):
            writer.write(encode(astronaut[10 * number + i :][:40, :48], 95))
        writer.close()
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        entry = {"name": path.name, "records": count, "bytes": len(content), "sha256": digest}
        shards.append(entry)
    manifest = {
        "format": "agarnet-images",
        "version": 1,
        "records": 5,
        "min_side": 40,
        "shards": shards,
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def edit_manifest(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_records_are_read_in_the_order_of_the_manifest(prepared, astronaut, encode):
    source = open_images(prepared, min_side=32)
    assert len(source) == 5
    assert source.skipped == 0
    expected = Image.fromarray(astronaut[22:62, :48])
    assert np.abs(source[4].astype(int) - np.asarray(expected)).mean() < 3
    assert source.records.name(4).endswith("images-00002-of-00003.array_record")
    assert source.records.name(4).startswith("record 2 of")
    unpickled = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(unpickled[4], source[4])


def test_the_summary_depends_on_the_content_of_the_shards(prepared, tmp_path_factory):
    copy = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(prepared, copy)
    assert open_images(copy).summary() == open_images(prepared).summary()
    shards = json.loads((prepared / "manifest.json").read_text())["shards"]
    shards[0]["sha256"] = shards[1]["sha256"]  # as from another preparation with equal sizes
    edit_manifest(copy, shards=shards)
    assert open_images(copy).summary() != open_images(prepared).summary()


def test_truncated_and_missing_shards_are_named(prepared):
    path = prepared / "images-00002-of-00003.array_record"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=f"{path.name}.* has {len(content) // 2} bytes.*prepare"):
        ShardRecords(prepared)
    path.unlink()
    with pytest.raises(ValueError, match=f"{path.name}.*is missing"):
        ShardRecords(prepared)


def test_a_mismatched_or_damaged_manifest_is_rejected(prepared):
    edit_manifest(prepared, records=6)
    with pytest.raises(ValueError, match="hold 5 records, but the manifest lists 6"):
        ShardRecords(prepared)
    edit_manifest(prepared, version=2)
    with pytest.raises(ValueError, match="another format"):
        ShardRecords(prepared)
    (prepared / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=r"manifest\.json' is damaged"):
        ShardRecords(prepared)


def test_shards_with_images_smaller_than_a_crop_are_rejected(prepared):
    with pytest.raises(ValueError, match=r"images of 40 pixels.*--min_side=64"):
        open_images(prepared, min_side=64)


def test_a_damaged_record_is_skipped(prepared, caplog):
    path = prepared / "images-00002-of-00003.array_record"
    content = path.read_bytes()
    path.write_bytes(content[:300] + bytes(100) + content[400:])
    source = open_images(prepared)
    images = [source[index] for index in range(5)]
    assert all(image.shape == (40, 48, 3) for image in images)
    assert source.skipped >= 1
    assert f"of {path}: damaged record" in caplog.text

    index = 2**16  # in the last block
    path.write_bytes(content[:index] + bytes(24) + content[index + 24 :])
    with pytest.raises(ValueError, match=r"A shard of .* is damaged \(.*\); prepare the folder"):
        open_images(prepared)
