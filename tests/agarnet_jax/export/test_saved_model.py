"""SavedModels in TensorFlow, in an environment of its own, against JAX and the released graph."""

import contextlib
import json
import pathlib
import sys
import types

import numpy as np
import pytest
from PIL import Image

from agarnet_jax.export import saved_model

RUN = """
import tensorflow as tf
def run(path, inputs):
    loaded = tf.saved_model.load(path)  # must live as long as its signatures
    function = loaded.signatures["serving_default"]
    outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}
"""
PHOTOGRAPHS = ((64, 64, 10), (136, 72, 40), (256, 320, 80))


@pytest.fixture(scope="module")
def files(save_by_tensorflow, small_weights, shipped, golden_weights, tmp_path_factory):
    """Folders by name, all written by one process."""
    root = tmp_path_factory.mktemp("saved_model")
    chosen = {
        "small": (small_weights, {"name": "small"}),
        "uint8": (small_weights, {"part": "blind_uint8", "quality": "map"}),
        "estimator": (small_weights, {"part": "estimator"}),
        "restorer": (small_weights, {"part": "restorer", "quality": "map", "dtype": "float16"}),
        "sized": (small_weights, {"part": "estimator", "size": (64, 72)}),
        "float32": (shipped, {}),
        "float16": (shipped, {"dtype": "float16"}),
        "golden": (golden_weights, {"part": "restorer"}),
    }
    save_by_tensorflow(
        *(
            (trained, root / name, {"file_format": "saved_model", **options})
            for name, (trained, options) in chosen.items()
        )
    )
    return {name: root / name for name in chosen}


@pytest.mark.slow
def test_one_folder_works_for_all_sizes(files, call_in_runtime, reference, batch, assert_agree):
    images = [batch(72, 104), batch(8, 24)[:1], batch(128, 64)]
    calls = ((files["small"], {"image": image}) for image in images)
    for image, actual in zip(images, call_in_runtime(RUN, *calls)):
        assert_agree(actual, reference("blind", image))


@pytest.mark.slow
def test_other_parts_match_jax(
    files, call_in_runtime, reference, batch, assert_agree, assert_levels_agree
):
    image = batch(72, 104)
    levels = np.rint(255 * image).astype(np.uint8)
    quality = np.linspace(1, 100, image.size, dtype=np.float32).reshape(image.shape)
    uint8, restored, estimated, sized = call_in_runtime(
        RUN,
        (files["uint8"], {"image": levels}),
        (files["restorer"], {"image": image, "quality": quality}),
        (files["estimator"], {"image": image}),
        (files["sized"], {"image": batch(64, 72)}),
    )
    assert_agree(estimated, reference("estimator", image))
    assert_agree(sized, reference("estimator", batch(64, 72)))
    options = {"quality": "map", "dtype": "float16"}
    assert_agree(restored, reference("restorer", image, quality, **options))
    expected = reference("blind_uint8", levels, quality="map")
    assert_levels_agree(uint8["restored"], expected["restored"])


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "atol"), [("float32", 2e-5), ("float16", 5e-3)])
def test_shipped_weights_match_jax_on_photographs(
    files, call_in_runtime, photograph, assert_restored_as_by_jax, dtype, atol
):
    calls = ((files[dtype], {"image": photograph(*case)}) for case in PHOTOGRAPHS)
    for case, actual in zip(PHOTOGRAPHS, call_in_runtime(RUN, *calls)):
        assert_restored_as_by_jax(case, actual["restored"], atol=atol)


@pytest.mark.slow
def test_restorer_matches_the_released_graph(files, call_in_runtime, golden_call):
    inputs, expected = golden_call
    (actual,) = call_in_runtime(RUN, (files["golden"], inputs))
    np.testing.assert_allclose(actual["restored"], expected, atol=5e-5)


REFUSED = """
import sys
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
function = loaded.signatures["serving_default"]
for shape in ((1, 64, 100, 1), (1, 0, 64, 1)):
    try:
        function(image=tf.zeros(shape))
    except tf.errors.InvalidArgumentError as error:
        assert "height and width must be multiples of 8, at least 8" in str(error), error
        print("refused")
"""


@pytest.mark.slow
def test_sides_that_are_not_multiples_of_8_are_refused(files, run_python, tensorflow_python):
    printed = run_python(tensorflow_python, "-c", REFUSED, files["small"])
    assert printed.split() == ["refused", "refused"]


@pytest.mark.slow
def test_metadata_is_in_the_folder(files):
    about = json.loads((files["small"] / "assets.extra" / "metadata.json").read_text())
    assert about["name"] == "agarnet-small"
    assert about["signature"] == "serving_default"
    assert len(about["weights_sha256"]) == 64
    assert about["platforms"] == "cpu, cuda, tpu"
    assert json.loads(about["inputs"])[0]["shape"] == ["batch", "height", "width", 1]
    # Nothing of the machine that wrote it.
    assert b".py" not in (files["small"] / "saved_model.pb").read_bytes()


@pytest.mark.slow
def test_example_restores_an_image(
    files, run_python, tensorflow_python, repository, compressed, tmp_path
):
    picture = compressed(60, 100, 20)
    Image.fromarray(picture).save(tmp_path / "in.png")
    example = repository / "examples" / "saved_model_tensorflow.py"
    printed = run_python(
        tensorflow_python, example, files["uint8"], tmp_path / "in.png", tmp_path / "out.png"
    )
    assert printed.startswith("quality ")
    with Image.open(tmp_path / "out.png") as restored:
        assert restored.size == (100, 60)
        assert not np.array_equal(restored, picture)


def test_missing_package_is_named(monkeypatch, small_weights, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ValueError, match=r"pip install 'agarnet-jax\[export-tf\]'"):
        saved_model.save(small_weights, tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("full", [False, True])
def test_only_the_folder_itself_is_written(monkeypatch, small_weights, tmp_path, full):
    def write(_, path, signatures):
        pathlib.Path(path).mkdir()
        pathlib.Path(path, "saved_model.pb").touch()
        if full:
            raise OSError("No space left on device")

    fake = types.SimpleNamespace(
        __version__="0",
        Module=types.SimpleNamespace,
        function=lambda *_, **__: None,
        saved_model=types.SimpleNamespace(save=write),
    )
    monkeypatch.setattr(saved_model.tf_function, "load_tensorflow", lambda: fake)
    monkeypatch.setattr(saved_model.tf_function, "input_signature", lambda *_: None)
    monkeypatch.setattr(saved_model, "_checked", lambda *_: None)
    (tmp_path / "x.part").mkdir()
    (tmp_path / "x.part" / "mine").touch()
    with pytest.raises(OSError, match="No space") if full else contextlib.nullcontext():
        saved_model.save(small_weights, tmp_path / "x")
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    model = {"x/saved_model.pb", "x/assets.extra/metadata.json"}
    assert written == {"x.part/mine"} | (set() if full else model)
    assert {path.name for path in tmp_path.iterdir()} == {"x.part"} | (set() if full else {"x"})


def test_existing_folder_is_kept(small_weights, tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(ValueError, match="already exists"):
        saved_model.save(small_weights, tmp_path)
    with pytest.raises(ValueError, match="already exists"):
        saved_model.save(small_weights, tmp_path / "mine")
