import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from agarnet_jax import configs, weights
from agarnet_jax.models import AGARNet, QualityEstimator


@pytest.fixture(scope="module")
def shipped():
    return weights.load("tiny")


def shapes(tree):
    return jax.tree.map(lambda x: tuple(x.shape), tree)


@pytest.mark.parametrize("name", weights.shipped_names())
def test_shipped_weights_match_their_configuration_and_have_a_model_card(name):
    shipped = weights.load(name)
    assert f"# Model card: `{name}`" in weights.path_of(name).with_suffix(".md").read_text()
    image = jax.ShapeDtypeStruct((1, 64, 64, 1), jnp.float32)
    restorer = jax.eval_shape(
        lambda rng, x: AGARNet(shipped.restorer_config).init(rng, x, quality=50.0),
        jax.random.key(0),
        image,
    )
    estimator = jax.eval_shape(
        QualityEstimator(shipped.estimator_config).init, jax.random.key(0), image
    )
    assert shapes(shipped.restorer_params) == shapes(restorer["params"])
    assert shapes(shipped.estimator_params) == shapes(estimator["params"])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(shipped.restorer_params))


def test_saved_weights_are_loaded_unchanged(shipped, tmp_path):
    path = tmp_path / "copy.safetensors"
    weights.save(shipped, path)
    loaded = weights.load(path)
    assert loaded.restorer_config == shipped.restorer_config
    assert loaded.estimator_config == shipped.estimator_config
    jax.tree.map(np.testing.assert_array_equal, loaded.restorer_params, shipped.restorer_params)
    jax.tree.map(np.testing.assert_array_equal, loaded.estimator_params, shipped.estimator_params)
    assert [p.name for p in tmp_path.iterdir()] == ["copy.safetensors"]


def test_parameters_that_do_not_match_the_configurations_raise(shipped, tmp_path):
    wide = dataclasses.replace(shipped.restorer_config, pixel_features=24)
    without = {**shipped.estimator_params}
    removed = without.pop(sorted(without)[0])
    assert removed
    changes = {
        r"restorer_params do not fit restorer_config: .* has shape \(.*\), not \(": {
            "restorer_config": wide
        },
        r"estimator_config: .* has shape none \(it is missing\), not \(": {
            "estimator_params": without
        },
        r"estimator_config: another has shape \(3,\), not any": {
            "estimator_params": {"another": np.zeros(3), **shipped.estimator_params}
        },
    }
    path = tmp_path / "mine.safetensors"
    for message, change in changes.items():
        wrong = dataclasses.replace(shipped, **change)
        with pytest.raises(ValueError, match=message):
            weights.save(wrong, path)
        assert not path.exists()
        metadata = {
            part: json.dumps(configs.to_plain(getattr(wrong, f"{part}_config")))
            for part in weights.PARTS
        }
        safetensors.numpy.save_file(weights.flat_tensors(wrong), path, metadata)  # without a hash
        with pytest.raises(ValueError, match=rf"does not hold AGARNet weights: .*{message}"):
            weights.load(path)
        path.unlink()


def test_model_variables_instead_of_parameters_raise(shipped):
    with pytest.raises(ValueError, match=r"estimator_params are .* variables\['params'\]"):
        dataclasses.replace(shipped, estimator_params={"params": shipped.estimator_params})


def test_repr_of_weights_omits_parameters(shipped):
    assert len(repr(shipped)) < 2000
    assert repr(shipped.restorer_config) in repr(shipped)
    assert shipped != weights.load("tiny")


def test_unknown_name_raises_and_lists_the_shipped_ones():
    with pytest.raises(ValueError, match=r"'huge'.*tiny"):
        weights.load("huge")


def test_name_longer_than_the_file_system_allows_is_unknown():
    with pytest.raises(ValueError, match=r"No weights 'xxx.*neither a file nor a shipped name"):
        weights.path_of("x" * 300)


def test_folder_raises_and_points_to_pack_weights(tmp_path):
    with pytest.raises(
        ValueError, match=r"is a folder.*experiments\.pack_weights --restorer=.*out="
    ):
        weights.path_of(tmp_path)


def test_unreadable_file_raises(tmp_path, monkeypatch):
    weights.save(weights.load("tiny"), tmp_path / "mine")
    monkeypatch.setattr(weights.os, "access", lambda *_: False)  # root may read everything
    with pytest.raises(ValueError, match="mine' is not readable; change its permissions"):
        weights.load(tmp_path / "mine")


def test_other_files_raise_with_their_name(tmp_path):
    text = tmp_path / "text.safetensors"
    text.write_text("not weights")
    foreign = tmp_path / "foreign.safetensors"
    safetensors.numpy.save_file({"a": np.zeros(3, np.float32)}, foreign)
    for path in (text, foreign):
        with pytest.raises(ValueError, match=f"{path.name}.*does not hold AGARNet weights"):
            weights.load(path)


def test_damaged_files_raise_and_older_files_without_a_hash_load(shipped, tmp_path):
    path = tmp_path / "copy.safetensors"
    weights.save(shipped, path)
    contents = path.read_bytes()
    for position in (-1, -4000):
        damaged = bytearray(contents)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"copy\.safetensors' is damaged.*copy it again"):
            weights.load(path)
    path.write_bytes(contents)
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
    assert len(metadata.pop("sha256")) == 64
    tensors = safetensors.numpy.load(contents)
    safetensors.numpy.save_file(tensors, path, metadata)
    assert weights.load(path).restorer_config == shipped.restorer_config
