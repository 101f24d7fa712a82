"""What exported files say about themselves."""

import dataclasses
import hashlib
import json
import struct

import jax
import numpy as np
import pytest

import agarnet_jax
from agarnet_jax import weights
from agarnet_jax.export import metadata
from agarnet_jax.export.model import prepare


def test_metadata_describes_the_file(small_weights):
    about = prepare(small_weights, part="blind_uint8", name="mine", quality="map").metadata
    assert about["name"] == "agarnet-mine"
    assert about["version"] == agarnet_jax.__version__
    assert (about["part"], about["quality"], about["parameters"]) == (
        "blind_uint8",
        "map",
        "float32",
    )
    (image,) = json.loads(about["inputs"])
    assert image["dtype"] == "uint8"
    assert image["shape"] == ["batch", "height", "width", 1]
    outputs = {tensor["name"]: tensor["dtype"] for tensor in json.loads(about["outputs"])}
    assert outputs == {"restored": "uint8", "quality_map": "float32", "quality": "float32"}
    assert json.loads(about["sides"])["height"] == "a multiple of 8, at least 8"
    assert all(isinstance(value, str) for value in about.values())


def test_fixed_size_is_in_the_metadata(small_weights):
    about = prepare(small_weights, size=(64, 128)).metadata
    assert json.loads(about["inputs"])[0]["shape"] == ["batch", 64, 128, 1]
    assert "sides" not in about


def test_licence_of_shipped_and_other_weights(small_weights):
    shipped = weights.load("tiny")
    assert "research" in prepare(shipped, name="a-copy").metadata["licence"]
    assert "author" in prepare(small_weights, name="tiny").metadata["licence"]
    assert prepare(small_weights, name="tiny", licence="MIT").metadata["licence"] == "MIT"


def test_hash_does_not_depend_on_the_file(small_weights, tmp_path):
    weights.save(small_weights, tmp_path / "one.safetensors")
    saved = weights.load(tmp_path / "one.safetensors")
    assert metadata.weights_hash(saved) == metadata.weights_hash(small_weights)
    config = dataclasses.replace(small_weights.restorer_config, table_scaling="libjpeg")
    nudged = jax.tree.map(lambda p: np.nextafter(p, np.float32(9)), small_weights.estimator_params)
    for other in (
        dataclasses.replace(small_weights, restorer_config=config),
        dataclasses.replace(small_weights, estimator_params=nudged),
    ):
        assert metadata.weights_hash(other) != metadata.weights_hash(small_weights)


def test_hash_follows_its_documentation(small_weights, tmp_path):
    """Recomputed from the bytes of a file, as the docstring describes it."""
    path = tmp_path / "one.safetensors"
    weights.save(small_weights, path)
    contents = path.read_bytes()
    (length,) = struct.unpack("<Q", contents[:8])
    header, data = json.loads(contents[8 : 8 + length]), contents[8 + length :]
    digest = hashlib.sha256()
    for network in ("restorer", "estimator"):
        config = json.loads(header["__metadata__"][network])
        digest.update(json.dumps(config, sort_keys=True).encode())
        for name in sorted(name for name in header if name.startswith(f"{network}/")):
            start, end = header[name]["data_offsets"]
            digest.update(f"{name.removeprefix(f'{network}/')} {header[name]['shape']}".encode())
            digest.update(data[start:end])
    assert metadata.weights_hash(small_weights) == digest.hexdigest()


def test_hash_of_tiny_is_unchanged():
    """New weights, or a new field in a configuration, change it; then note it in the changelog."""
    expected = "18d1acc13db8aa727b92eea1ffbbad353bb03a2a7ee28b939632f26d7c387b03"
    assert metadata.weights_hash(weights.load("tiny")) == expected


def test_commit_of_a_checkout_is_its_hash(repository):
    if not (repository / ".git").exists():
        pytest.skip("not a checkout")
    commit = metadata.source_commit().removesuffix("-dirty")
    assert len(commit) == 40
    assert int(commit, 16)


@pytest.mark.parametrize(
    ("record", "commit"),
    [('{"vcs_info": {"commit_id": "abc"}}', "abc"), ('{"url": "x"}', "unknown"), (None, "unknown")],
)
def test_commit_of_an_installation_is_the_recorded_one(monkeypatch, tmp_path, record, commit):
    package = tmp_path / "agarnet_jax" / "__init__.py"
    monkeypatch.setattr(agarnet_jax, "__file__", f"{package}")

    class Distribution:
        def read_text(self, name):
            return record if name == "direct_url.json" else None

    monkeypatch.setattr(metadata.importlib.metadata, "distribution", lambda _: Distribution())
    assert metadata.source_commit() == commit
