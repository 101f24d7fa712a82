"""The formats and parts by name; a format's module, and JAX, are loaded when one is asked for."""

import enum
import importlib
import os
import pathlib
from typing import TYPE_CHECKING, Any

from agarnet_jax import atomic_files
from agarnet_jax.configs import member

if TYPE_CHECKING:
    from agarnet_jax.weights import Weights


class Format(enum.Enum):
    """The formats; each is a module of this package with a function `save`."""

    STABLEHLO = "stablehlo"
    ONNX = "onnx"
    SAVED_MODEL = "saved_model"
    LITERT = "litert"
    SAFETENSORS = "safetensors"


class Part(enum.Enum):
    """The part of the networks that a file holds.

    BLIND: float image → restored image, quality map, quality. BLIND_UINT8: the same for images of
    0–255, rounded. RESTORER: image and quality → restored. ESTIMATOR: image → quality.
    """

    BLIND = "blind"
    BLIND_UINT8 = "blind_uint8"
    RESTORER = "restorer"
    ESTIMATOR = "estimator"


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Reads (height, width), in pixels, from a flag such as "512x768"; None leaves them free.

    Raises:
      ValueError: not two numbers with an x between.
    """
    if text is None:
        return None
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise ValueError(f"size is {text!r}; give height and width like 512x768.")
    return int(height), int(width)


def save(
    trained: "Weights", path: str | os.PathLike, *, file_format: Format | str, **options: Any
) -> None:
    """Writes weights in a format.

    Args:
      trained: the weights.
      path: the file, or for SAVED_MODEL the folder.
      file_format: the format, or its name.
      options: those of `model.prepare`.

    Raises:
      ValueError: an unknown format, one whose extra is not installed, or as `model.prepare`.
      UnwritableError: it cannot be written there.
    """
    chosen = member(Format, file_format, "format")
    if chosen is Format.SAVED_MODEL:
        atomic_files.check_folder(pathlib.Path(path).parent)
    else:
        atomic_files.check_file(path)
    module = importlib.import_module(f"agarnet_jax.export.{chosen.value}")
    module.save(trained, path, **options)
