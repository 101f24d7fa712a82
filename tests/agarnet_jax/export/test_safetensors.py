"""Exported parameters: read by NumPy alone, and named and shaped as docs/export.md says."""

import re
import subprocess
import sys

import flax.traverse_util
import jax
import numpy as np
import pytest

from agarnet_jax import weights
from agarnet_jax.export import safetensors as safetensors_export


def read(repository, path, tmp_path):
    """The tensors as read by the example, in a process without our packages."""
    out = tmp_path / "out.npz"
    code = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0]);"
    code += "print([m for m in ('agarnet_jax', 'jax', 'safetensors') if m in sys.modules])"
    example = repository / "examples" / "safetensors_numpy.py"
    result = subprocess.run(
        [sys.executable, "-c", code, example, path, out], capture_output=True, text=True, check=True
    )
    said, loaded = result.stdout.splitlines()
    assert loaded == "[]"
    with np.load(out) as tensors:
        return said, dict(tensors)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_numpy_alone_reads_everything(repository, small_weights, tmp_path, dtype):
    path = tmp_path / "small.safetensors"
    safetensors_export.save(small_weights, path, name="small", dtype=dtype)
    said, tensors = read(repository, path, tmp_path)
    paths = jax.tree_util.tree_leaves_with_path(
        {"restorer": small_weights.restorer_params, "estimator": small_weights.estimator_params}
    )
    assert said == f"agarnet-small: {sum(value.size for _, value in paths)} parameters"
    assert len(tensors) == len(paths)
    for path_of, value in paths:
        tensor = tensors["/".join(key.key for key in path_of)]
        assert tensor.dtype == dtype
        np.testing.assert_array_equal(tensor, value.astype(dtype))


@pytest.fixture(scope="module")
def documented(repository):
    """Name pattern → shape in docs/export.md, such as "(3, 3, 2f, f)"."""
    text = (repository / "docs" / "export.md").read_text()
    rows = re.findall(r"^\| `(\w+/[^`]*)`(.*?) \| (.*) \|$", text, flags=re.MULTILINE)
    patterns = {}
    for name, more, shapes in rows:
        pattern = re.escape(name).replace(r"\#", r"\d+")
        first, *second = re.findall(r"\(.*?\)", shapes)
        patterns[pattern] = first
        if "`/bias`" in more:
            patterns[pattern.removesuffix("kernel") + "bias"] = second[0]
    return patterns


@pytest.mark.parametrize("trained", ["shipped", "small_weights"])
def test_names_and_shapes_are_documented(repository, documented, trained, request, tmp_path):
    path, trained = tmp_path / "x.safetensors", request.getfixturevalue(trained)
    safetensors_export.save(trained, path)
    _, tensors = read(repository, path, tmp_path)
    config = trained.restorer_config
    sizes = {"f": config.pixel_features, "c": config.dct_features, "g": config.gate_features}
    sizes |= {f"e{i}": width for i, width in enumerate(trained.estimator_config.features)}
    for name, tensor in tensors.items():
        (shape,) = (s for pattern, s in documented.items() if re.fullmatch(pattern, name))
        assert tensor.shape == eval(re.sub(r"(\d)f", r"\1*f", shape), sizes), name


def test_all_documented_tensors_exist(documented, small_weights):
    params = {"restorer": small_weights.restorer_params}
    params["estimator"] = small_weights.estimator_params
    names = flax.traverse_util.flatten_dict(params, sep="/")
    for pattern in documented:
        assert any(re.fullmatch(pattern, name) for name in names), pattern


def test_file_of_both_networks_loads_as_weights(small_weights, tmp_path):
    """Also from float16, converted to float32."""
    for dtype in ("float32", "float16"):
        safetensors_export.save(small_weights, tmp_path / "a.safetensors", dtype=dtype)
        again = weights.load(tmp_path / "a.safetensors")
        assert again.restorer_config == small_weights.restorer_config
        for tensor, value in zip(
            jax.tree.leaves(again.estimator_params), jax.tree.leaves(small_weights.estimator_params)
        ):
            assert tensor.dtype == np.float32
            np.testing.assert_array_equal(tensor, value.astype(dtype))


def test_part_contains_only_its_network(repository, small_weights, tmp_path):
    path = tmp_path / "estimator.safetensors"
    safetensors_export.save(small_weights, path, part="estimator")
    _, tensors = read(repository, path, tmp_path)
    assert {name.split("/")[0] for name in tensors} == {"estimator"}


@pytest.mark.parametrize(
    ("options", "words"),
    [({"part": "blind_uint8"}, "use 'blind'"), ({"size": (64, 64)}, "leave the size out")],
)
def test_options_that_do_not_apply_are_refused(small_weights, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        safetensors_export.save(small_weights, tmp_path / "x", **options)
    assert not list(tmp_path.iterdir())


def test_damaged_file_is_detected(small_weights, tmp_path):
    path = tmp_path / "small.safetensors"
    safetensors_export.save(small_weights, path, dtype="float16")
    assert weights.load(path).restorer_config == small_weights.restorer_config
    contents = bytearray(path.read_bytes())
    contents[-9] ^= 1
    path.write_bytes(contents)
    with pytest.raises(ValueError, match="is damaged"):
        weights.load(path)
