"""Writes trained networks for another runtime; `docs/export.md` has the formats and examples.

    python -m experiments.export --weights=tiny --format=onnx --out=tiny.onnx
    python -m experiments.export --weights=FILE --format=litert --size=256x256 --out=FILE

The whole blind function unless --part says otherwise.
"""

from absl import flags

from agarnet_jax import weights
from agarnet_jax.export import formats, metadata
from agarnet_jax.export.formats import Format, Part
from experiments import program

_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, or a weights file.")
_FORMAT = flags.DEFINE_string(
    "format", None, f"One of {', '.join(each.value for each in Format)}.", required=True
)
_PART = flags.DEFINE_string(
    "part", Part.BLIND.value, f"One of {', '.join(each.value for each in Part)}."
)
_QUALITY = flags.DEFINE_string(
    "quality", "image", "What the restorer gets: one quality an image, or a pixel-wise map."
)
_DTYPE = flags.DEFINE_string(
    "dtype", "float32", "What parameters are stored in: float32 or float16."
)
_SIZE = flags.DEFINE_string("size", None, "HxW: the only size taken, in pixels; default: any.")
_LICENCE = flags.DEFINE_string("licence", None, "For the metadata, of code and weights.")
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
