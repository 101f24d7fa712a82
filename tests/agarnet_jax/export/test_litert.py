"""LiteRT files in its interpreter, in an environment of its own, against JAX."""

import json
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.export import litert

RUN = """
from ai_edge_litert.interpreter import Interpreter
def run(path, inputs):
    return Interpreter(path).get_signature_runner("serving_default")(**inputs)
"""
PHOTOGRAPHS = ((64, 64, 10), (136, 72, 40), (192, 256, 80))


@pytest.fixture(scope="module")
def files(save_by_tensorflow, small_weights, shipped, golden_weights, tmp_path_factory):
    """Files by name, all written by one process."""
    root = tmp_path_factory.mktemp("litert")
    size = (72, 104)
    chosen = {
        "small": (small_weights, {"name": "small", "size": size}),
        "tall": (small_weights, {"size": (136, 8)}),
        "uint8": (small_weights, {"part": "blind_uint8", "quality": "map", "size": size}),
        "estimator": (small_weights, {"part": "estimator", "size": size}),
        "restorer": (small_weights, {"part": "restorer", "quality": "map", "size": size}),
        "golden": (golden_weights, {"part": "restorer", "size": (96, 128)}),
    }
    for height, width, _ in PHOTOGRAPHS:
        for dtype in ("float32", "float16"):
            options = {"dtype": dtype, "size": (height, width)}
            chosen[f"{dtype}-{height}x{width}"] = shipped, options
    save_by_tensorflow(
        *(
            (trained, root / name, {"file_format": "litert", **options})
            for name, (trained, options) in chosen.items()
        )
    )
    return {name: root / name for name in chosen}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("small", (72, 104)), ("tall", (136, 8))])
def test_batch_size_is_free(files, call_in_runtime, reference, batch, assert_agree, name, size):
    images = batch(*size)
    batches = [images[:1], np.concatenate([images, images[:1]])]
    results = call_in_runtime(RUN, *((files[name], {"image": image}) for image in batches))
    for image, actual in zip(batches, results):
        assert_agree(actual, reference("blind", image))


@pytest.mark.slow
def test_other_parts_match_jax(
    files, call_in_runtime, reference, batch, assert_agree, assert_levels_agree
):
    image = batch(72, 104)
    levels = np.rint(255 * image).astype(np.uint8)
    quality = np.linspace(1, 100, image.size, dtype=np.float32).reshape(image.shape)
    uint8, restored, estimated = call_in_runtime(
        RUN,
        (files["uint8"], {"image": levels}),
        (files["restorer"], {"image": image, "quality": quality}),
        (files["estimator"], {"image": image}),
    )
    assert_agree(estimated, reference("estimator", image))
    # Between 98 and 99 the correction fades, which amplifies the rounding of quality.
    assert_agree(restored, reference("restorer", image, quality, quality="map"), atol=5e-5)
    expected = reference("blind_uint8", levels, quality="map")
    assert_levels_agree(uint8["restored"], expected["restored"])


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "atol"), [("float32", 2e-5), ("float16", 5e-3)])
def test_shipped_weights_match_jax_on_photographs(
    files, call_in_runtime, photograph, assert_restored_as_by_jax, dtype, atol
):
    calls = (
        (files[f"{dtype}-{height}x{width}"], {"image": photograph(height, width, quality)})
        for height, width, quality in PHOTOGRAPHS
    )
    for case, actual in zip(PHOTOGRAPHS, call_in_runtime(RUN, *calls)):
        assert_restored_as_by_jax(case, actual["restored"], atol=atol)


@pytest.mark.slow
def test_restorer_matches_the_released_graph(files, call_in_runtime, golden_call):
    inputs, expected = golden_call
    (actual,) = call_in_runtime(RUN, (files["golden"], inputs))
    np.testing.assert_allclose(actual["restored"], expected, atol=5e-5)


@pytest.mark.slow
def test_float16_halves_the_file(files):
    sizes = {name: path.stat().st_size for name, path in files.items()}
    assert sizes["float16-64x64"] < 0.6 * sizes["float32-64x64"]


@pytest.mark.slow
def test_metadata_is_in_the_file(files):
    with zipfile.ZipFile(files["small"]) as archive:
        about = json.loads(archive.read("metadata.json"))
    assert about["name"] == "agarnet-small"
    assert len(about["weights_sha256"]) == 64
    assert json.loads(about["inputs"])[0]["shape"] == ["batch", 72, 104, 1]
    assert files["small"].read_bytes()[4:8] == b"TFL3"


@pytest.mark.slow
def test_example_restores_an_image(
    files, run_python, tensorflow_python, repository, compressed, tmp_path
):
    picture = compressed(70, 100, 20)
    Image.fromarray(picture).save(tmp_path / "in.png")
    example = repository / "examples" / "litert_interpreter.py"
    printed = run_python(
        tensorflow_python, example, files["uint8"], tmp_path / "in.png", tmp_path / "out.png"
    )
    assert printed.startswith("quality ")
    with Image.open(tmp_path / "out.png") as restored:
        assert restored.size == (100, 70)
        assert not np.array_equal(restored, picture)


def test_missing_size_is_refused(small_weights, tmp_path):
    with pytest.raises(ValueError, match="give height and width, such as 256x256"):
        litert.save(small_weights, tmp_path / "x")
    with pytest.raises(ValueError, match="height is 60; use a multiple of 8"):
        litert.save(small_weights, tmp_path / "x", size=(60, 64))


def test_missing_package_is_named(monkeypatch, small_weights, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ValueError, match=r"pip install 'agarnet-jax\[export-tf\]'"):
        litert.save(small_weights, tmp_path / "x", size=(64, 64))
    assert not list(tmp_path.iterdir())
