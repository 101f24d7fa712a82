"""TensorFlow Datasets (TFDS) prepared as array_record files; TensorFlow is not imported."""

import os

import numpy as np

from data_pipelines.decoding import decode
from data_pipelines.sources.records import fingerprint
from data_pipelines.sources.shards import read_record

PREFIX = "tfds:"


class TfdsRecords:
    """The image feature of one split of a TFDS dataset.

    `spec` is "tfds:NAME[/CONFIG][:VERSION][#SPLIT]", for instance "tfds:div2k/bicubic_x2#train";
    the split defaults to "train" and may be a slice ("train[:90%]"). The dataset must have been
    prepared with `file_format=array_record` in `TFDS_DATA_DIR` or `~/tensorflow_datasets`; nothing
    is downloaded. The feature is "image", or "hr" in super-resolution datasets.
    """

    left_out = 0

    def __init__(self, spec: str):
        """
        Raises:
          ModuleNotFoundError: tensorflow-datasets is not installed.
          ValueError: there is no such prepared dataset, split or image feature.
        """
        try:
            import tensorflow_datasets as tfds
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"{spec!r} needs tensorflow-datasets: pip install 'agarnet-jax[tfds]'."
            ) from error
        self._spec = spec
        name, _, split = spec.removeprefix(PREFIX).partition("#")
        split = split or "train"
        folder = os.environ.get("TFDS_DATA_DIR")
        try:
            builder = tfds.builder(name, data_dir=folder, file_format="array_record")
            self._feature = _image_feature(builder.info.features)
            self.fingerprint = fingerprint([builder.info.full_name, split])
            self._source = builder.as_data_source(
                split=split, decoders={self._feature: tfds.decode.SkipDecoding()}
            )
        except Exception as error:  # TFDS raises its own types for missing datasets and splits
            raise ValueError(
                f"{spec!r} cannot be read from {folder or '~/tensorflow_datasets'}: "
                f"{str(error).splitlines()[0]} Prepare it there with "
                f"`tfds build {name} --file_format=array_record`, or correct the name."
            ) from error

    def __len__(self) -> int:
        return len(self._source)

    def name(self, index: int) -> str:
        return f"record {index} of {self._spec}"

    def read(self, index: int) -> np.ndarray:
        return decode(read_record(self._source, index)[self._feature])


def _image_feature(features) -> str:
    for name in ("image", "hr"):
        if name in features:
            return name
    raise ValueError(f"The dataset has the features {', '.join(features)}, not 'image' or 'hr'.")
