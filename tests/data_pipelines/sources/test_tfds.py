"""Builds a dataset, without TensorFlow, and reads it back."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import skimage.data

from data_pipelines.sources.opening import open_images

pytest.importorskip("tensorflow_datasets")
# TFDS reads its features through a name that protobuf has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:label:DeprecationWarning")

NAMES = ("astronaut", "chelsea", "coffee")
# A separate program: TFDS looks for checksums next to the source file of a builder.
BUILD = """
import sys
import skimage.data
import tensorflow_datasets as tfds
from PIL import Image

root = sys.argv[1]

class Pictures(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({"image": tfds.features.Image()})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, download_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for name in sys.argv[2:]:
            path = f"{root}/{name}.png"
            Image.fromarray(getattr(skimage.data, name)()).save(path)
            yield name, {"image": path}

Pictures(data_dir=root, file_format="array_record").download_and_prepare()
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """The data folder of a dataset `pictures` with a feature `image`."""
    root = tmp_path_factory.mktemp("tfds")
    script = root / "build.py"
    script.write_text(BUILD)
    subprocess.run([sys.executable, script, root, *NAMES], check=True, capture_output=True)
    return root


@pytest.fixture(autouse=True)
def data_dir(dataset, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(dataset))


def test_a_dataset_is_read_as_built():
    source = open_images("tfds:pictures#train", min_side=64, cache_gib=1)
    pictures = {getattr(skimage.data, name)().tobytes() for name in NAMES}
    assert {image.tobytes() for image in source} == pictures
    assert len(open_images("tfds:pictures:1.0.0#train[:2]")) == 2
    assert source.records.name(1) == "record 1 of tfds:pictures#train"
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source))[1], source[1])


def test_reading_does_not_load_tensorflow():
    code = (
        "import sys; from data_pipelines.sources.opening import open_images; "
        "open_images('tfds:pictures')[0]; print('tensorflow' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "False", result.stdout + result.stderr


@pytest.mark.parametrize("spec", ["tfds:nowhere", "tfds:pictures#dev", "tfds:mnist"])
def test_missing_datasets_and_splits_are_named_on_one_line(spec):
    with pytest.raises(ValueError, match=r"tfds build .*array_record") as error:
        open_images(spec)
    assert spec in str(error.value)
    assert "\n" not in str(error.value)
