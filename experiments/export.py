"""Exports trained networks for other runtimes; see `docs/export.md` for formats and examples.

    python -m experiments.export --weights=tiny --format=onnx --out=tiny.onnx
    python -m experiments.export --weights=FILE --format=litert --size=256x256 --out=FILE

Exports the whole blind restoration function unless --part selects another part.
"""

from absl import flags

from agarnet_jax import weights
from agarnet_jax.export import formats, metadata
from agarnet_jax.export.formats import Format, Part
from experiments import program

_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped name or weights file.")
_FORMAT = flags.DEFINE_string(
    "format", None, f"One of {', '.join(each.value for each in Format)}.", required=True
)
_PART = flags.DEFINE_string(
    "part", Part.BLIND.value, f"One of {', '.join(each.value for each in Part)}."
)
_QUALITY = flags.DEFINE_string(
    "quality",
    "image",
    "Quality input of the restorer: image (one value per image) or map (pixel-wise).",
)
_DTYPE = flags.DEFINE_string(
    "dtype", "float32", "Storage type of the parameters: float32 or float16."
)
_SIZE = flags.DEFINE_string("size", None, "HxW: fixed input size in pixels; default: any size.")
_LICENCE = flags.DEFINE_string("licence", None, "Licence of code and weights, for the metadata.")
_OUT = flags.DEFINE_string("out", None, "File or folder to write.", required=True)


def main() -> None:
    with program.one_line_errors():
        formats.save(
            weights.load(_WEIGHTS.value),
            _OUT.value,
            file_format=_FORMAT.value,
            part=_PART.value,
            name=metadata.name_of(_WEIGHTS.value),
            quality=_QUALITY.value,
            dtype=_DTYPE.value,
            size=formats.parse_size(_SIZE.value),
            licence=_LICENCE.value,
        )
    print(f"Wrote {_OUT.value}.")


if __name__ == "__main__":
    program.start(main)
