"""The export formats and parts by name; their modules, and JAX, are only imported on demand."""

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
    """The formats; each is implemented by the module of that name in this package."""

    STABLEHLO = "stablehlo"
    ONNX = "onnx"
    SAVED_MODEL = "saved_model"
    LITERT = "litert"
    SAFETENSORS = "safetensors"


class Part(enum.Enum):
    """What a file contains (see `blind.functions`).

    BLIND: float image → restored image, quality map, quality. BLIND_UINT8: the same for 8-bit
    images. RESTORER: image and quality → restored image. ESTIMATOR: image → quality.
    """

    BLIND = "blind"
    BLIND_UINT8 = "blind_uint8"
    RESTORER = "restorer"
    ESTIMATOR = "estimator"


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Parses (height, width), in pixels, from a flag such as "512x768"; None stays None.

    Raises:
      ValueError: the text does not have this form.
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
    """Exports weights.

    Args:
      trained: the weights.
      path: the file to write, or the folder for SAVED_MODEL.
      file_format: the format, or its name.
      options: those of `model.prepare`.

    Raises:
      ValueError: the format is unknown, its extra is not installed, or see `model.prepare`.
      UnwritableError: `path` cannot be written.
    """
    chosen = member(Format, file_format, "format")
    if chosen is Format.SAVED_MODEL:
        atomic_files.check_folder(pathlib.Path(path).parent)
    else:
        atomic_files.check_file(path)
    module = importlib.import_module(f"agarnet_jax.export.{chosen.value}")
    module.save(trained, path, **options)
