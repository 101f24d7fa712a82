"""Converts the authors' TensorFlow 1 checkpoints to weights of ours.

    python -m experiments.convert_released --checkpoint_dir=DIR --out=FILE.safetensors

DIR holds the release's two folders, `reconstruction/` and `regression/`. Needs TensorFlow, only
for this (extra `convert`). `docs/convert.md` has what follows.
"""

import os
import pathlib

from absl import flags

from agarnet_jax import weights
from agarnet_jax.convert import checkpoint
from experiments import program

_CHECKPOINT_DIR = flags.DEFINE_string(
    "checkpoint_dir", None, "Folder of `reconstruction/` and `regression/`.", required=True
)
_OUT = flags.DEFINE_string("out", None, "File to write.", required=True)


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # what TensorFlow makes of the CPU
    with program.one_line_errors():
        folder = pathlib.Path(_OUT.value).parent
        if not folder.is_dir():
            raise ValueError(f"--out={_OUT.value} lies in no folder; make {folder} first.")
        converted = checkpoint.released_weights(_CHECKPOINT_DIR.value)
        weights.save(converted, _OUT.value)
    print(f"Wrote {_OUT.value}, of width f = {converted.restorer_config.pixel_features}.")


if __name__ == "__main__":
    program.start(main)
