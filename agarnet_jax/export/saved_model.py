"""SavedModel: for TensorFlow and TensorFlow Serving (extra `export-tf`).

A folder with one signature, `serving_default`, whose inputs and outputs have the names of
`blind.functions`; batch, height and width are free. The network is one operation, XlaCallModule,
which TensorFlow compiles with XLA for each new image size, on CPU, CUDA or TPU.
"""

import json
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import jax

from agarnet_jax import weights
from agarnet_jax.export import tf_function
from agarnet_jax.export.model import PLATFORMS, Model, prepare
from agarnet_jax.jpeg_tables import BLOCK

SIGNATURE = "serving_default"
# TensorFlow ignores the contents of this folder of a SavedModel.
METADATA = pathlib.PurePath("assets.extra", "metadata.json")


def save(trained: weights.Weights, path: str | os.PathLike, **options: Any) -> None:
    """Writes a SavedModel.

    Args:
      trained: the weights.
      path: the folder; it must be new or empty, since TensorFlow would mix the contents.
      options: those of `model.prepare`.

    Raises:
      ValueError: `path` is a file or a folder that is not empty, TensorFlow is missing, or see
        `model.prepare`.
    """
    folder = pathlib.Path(path)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ValueError(f"{os.fspath(path)!r} already exists; remove it or name a new folder.")
    tf = tf_function.load_tensorflow()
    model = prepare(trained, **options)
    module = tf.Module()
    module.function = tf.function(
        _checked(tf, model),
        input_signature=tf_function.input_signature(tf, model),
        autograph=False,
    )
    about = model.metadata | {
        "jax": jax.__version__,
        "tensorflow": tf.__version__,
        "platforms": ", ".join(PLATFORMS),
        "signature": SIGNATURE,
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".agarnet-", dir=folder.parent) as temporary:
        partial = pathlib.Path(temporary, "model")
        tf.saved_model.save(module, f"{partial}", signatures={SIGNATURE: module.function})
        (partial / METADATA).parent.mkdir()
        (partial / METADATA).write_text(
            json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8"
        )
        if folder.is_dir():
            folder.rmdir()
        partial.replace(folder)


def _checked(tf: Any, model: Model) -> Callable[..., Any]:
    """Converts the function to TensorFlow and adds a check of the image size."""
    function, size = model.function, model.size
    converted = tf_function.converted(model, platforms=PLATFORMS)
    required = f"multiples of {BLOCK}, at least {function.smallest_side}"
    message = f"height and width must be {required}; pad by repeating the last row and column"

    def checked(*arrays: Any) -> Any:
        if size is None:
            sides = tf.shape(arrays[0])[1:3]
            fits = (sides % BLOCK == 0) & (sides >= function.smallest_side)
            with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(fits), [message])]):
                arrays = tuple(tf.identity(array) for array in arrays)
        return converted(*arrays)

    return checked
