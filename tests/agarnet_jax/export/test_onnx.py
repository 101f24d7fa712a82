"""ONNX files, run by ONNX Runtime and OpenVINO, against JAX and the released graph's outputs."""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import openvino
import pytest

from agarnet_jax.export import onnx as onnx_export
from agarnet_jax.export import onnx_graph, onnx_lowering
from agarnet_jax.models import CellPlacement, EstimatorConfig


class OnnxRuntime:
    def __init__(self, path):
        self.session = onnxruntime.InferenceSession(path)

    def __call__(self, **inputs):
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, inputs)))


class OpenVino:
    def __init__(self, path):
        precise = {"INFERENCE_PRECISION_HINT": "f32"}
        self.compiled = openvino.compile_model(path, "CPU", precise)

    def __call__(self, **inputs):
        result = self.compiled(inputs)
        # It adds names of its own to the file's.
        ours = {"restored", "cells", "quality_map", "quality"}
        return {name: result[name] for o in self.compiled.outputs for name in ours & o.names}


RUNTIMES = pytest.mark.parametrize(
    "runtime", [OnnxRuntime, pytest.param(OpenVino, marks=pytest.mark.slow)]
)


@pytest.fixture(scope="session")
def small_file(small_weights, tmp_path_factory):
    """options → an exported file of the small network."""
    written = {}

    def small_file(**options):
        key = repr(options)
        if key not in written:
            written[key] = tmp_path_factory.mktemp("onnx") / "small.onnx"
            onnx_export.save(small_weights, written[key], name="small", **options)
        return written[key]

    return small_file


@RUNTIMES
def test_one_file_works_for_all_sizes(runtime, small_file, reference, batch, size, assert_agree):
    image = batch(*size)
    run, expected = runtime(small_file()), reference("blind", image)
    assert_agree(run(image=image), expected, atol=2e-5)
    alone = {name: value[:1] for name, value in expected.items()}
    assert_agree(run(image=image[:1]), alone, atol=2e-5)


@RUNTIMES
def test_uint8_part_with_quality_map_matches_jax(
    runtime, small_file, reference, batch, assert_levels_agree
):
    image = np.rint(255 * batch(72, 104)).astype(np.uint8)
    run = runtime(small_file(part="blind_uint8", quality="map"))
    expected = reference("blind_uint8", image, quality="map")
    assert_levels_agree(run(image=image)["restored"], expected["restored"])


@RUNTIMES
def test_restorer_and_estimator_match_jax(runtime, small_file, reference, batch, assert_agree):
    image = batch(72, 104)
    estimated = runtime(small_file(part="estimator"))(image=image)
    assert_agree(estimated, reference("estimator", image), atol=2e-5)
    quality = np.array([10, 90], np.float32).reshape(2, 1, 1, 1)
    restored = runtime(small_file(part="restorer"))(image=image, quality=quality)
    assert_agree(restored, reference("restorer", image, quality), atol=2e-5)


@pytest.mark.slow
@RUNTIMES
def test_restorer_matches_the_released_graph(runtime, golden_weights, golden_call, tmp_path):
    onnx_export.save(golden_weights, tmp_path / "golden.onnx", part="restorer")
    inputs, expected = golden_call
    actual = runtime(tmp_path / "golden.onnx")(**inputs)
    np.testing.assert_allclose(actual["restored"], expected, atol=5e-5)


@RUNTIMES
def test_estimator_matches_the_released_graph(
    runtime, golden, golden_estimator_params, small_weights, tmp_path
):
    trained = dataclasses.replace(
        small_weights,
        estimator_config=EstimatorConfig(cells=CellPlacement.RELEASED),
        estimator_params=golden_estimator_params,
    )
    onnx_export.save(trained, tmp_path / "golden.onnx", part="estimator")
    case = golden("estimate_astronaut128x160")
    actual = runtime(tmp_path / "golden.onnx")(image=case["image"])
    np.testing.assert_allclose(actual["cells"] / 100, case["map"], atol=5e-6)
    expected = np.clip(100 * case["resized"], 1, 100)
    np.testing.assert_allclose(actual["quality_map"], expected, atol=5e-4)


@RUNTIMES
def test_float16_parameters_give_the_result_of_jax(
    runtime, small_file, reference, batch, assert_agree
):
    image = batch(72, 104)
    actual = runtime(small_file(dtype="float16"))(image=image)
    assert_agree(actual, reference("blind", image, dtype="float16"), atol=2e-5)


def test_all_float16_parameters_are_stored_as_such(small_file, small_weights):
    stored = onnx.load(small_file(dtype="float16")).graph.initializer
    halves = (tensor for tensor in stored if tensor.data_type == onnx.TensorProto.FLOAT16)
    networks = (small_weights.restorer_params, small_weights.estimator_params)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(networks))
    assert sum(np.prod(tensor.dims) for tensor in halves) == parameters


@pytest.mark.slow
@RUNTIMES
@pytest.mark.parametrize(("dtype", "atol"), [("float32", 2e-5), ("float16", 5e-3)])
def test_shipped_weights_match_jax_on_photographs(
    runtime, dtype, atol, shipped, photograph, assert_restored_as_by_jax, tmp_path
):
    onnx_export.save(shipped, tmp_path / "tiny.onnx", name="tiny", dtype=dtype)
    run = runtime(tmp_path / "tiny.onnx")
    for case in ((64, 64, 10), (136, 72, 40), (256, 320, 80)):
        restored = run(image=photograph(*case))["restored"]
        assert_restored_as_by_jax(case, restored, atol=atol)


def test_metadata_is_in_the_file(small_file):
    path = small_file(part="restorer", quality="map")
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert about["name"] == "agarnet-small"
    assert len(about["weights_sha256"]) == 64
    sides = [
        [side.dim_param or side.dim_value for side in tensor.type.tensor_type.shape.dim]
        for tensor in (*model.graph.input, *model.graph.output)
    ]
    assert sides == 3 * [["batch", "height", "width", 1]]
    assert [tensor.name for tensor in model.graph.input] == ["image", "quality"]


def test_no_transpose_between_convolutions(small_file):
    """Of 42 convolutions, only those that read the image or its coefficients have one."""
    nodes = onnx.load(small_file()).graph.node
    kinds = {node.output[0]: node.op_type for node in nodes}
    read = [kinds.get(node.input[0]) for node in nodes if node.op_type == "Conv"]
    assert len(read) == 42
    assert read.count("Transpose") == 3


def test_fixed_size_is_that_of_the_inputs(small_file, batch):
    path = small_file(size=(64, 72))
    run = OnnxRuntime(path)
    assert run.session.get_inputs()[0].shape == ["batch", 64, 72, 1]
    assert run(image=batch(64, 72))["restored"].shape == (2, 64, 72, 1)


def test_sides_that_are_not_multiples_of_8_fail(small_file, batch):
    image = batch(64, 72)[:, :, :-4]
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.Fail):
        OnnxRuntime(small_file())(image=image)


def test_missing_package_is_named(monkeypatch, small_weights, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match=r"pip install 'agarnet-jax\[export-onnx\]'"):
        onnx_export.save(small_weights, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (jnp.sin, "no ONNX rule for the JAX primitive 'sin'"),
        (lambda x: jnp.einsum("bhc,bhd->bcd", x, x), "without batch axes"),
        (
            lambda x: jax.lax.reduce_window(x, 0.0, jax.lax.add, (2, 1, 1), (1, 1, 1), "VALID"),
            "pooling",
        ),
    ],
)
def test_primitives_without_a_rule_are_refused(function, words):
    traced = jax.make_jaxpr(function)(np.ones((2, 3, 4), np.float32))
    with pytest.raises(ValueError, match=words):
        onnx_lowering.lower(onnx_graph.Graph(), traced, [onnx_graph.Value("x")])
