"""Converts the authors' TensorFlow 1 checkpoints to a weights file of this project.

    python -m experiments.convert_released --checkpoint_dir=DIR --out=FILE.safetensors

DIR contains the release's two folders, `reconstruction/` and `regression/`. Needs TensorFlow (extra
`convert`, which only this program uses). `docs/convert.md` describes the next steps.
"""

import os

from absl import flags

from agarnet_jax import atomic_files, weights
from agarnet_jax.convert import checkpoint
from experiments import program

_CHECKPOINT_DIR = flags.DEFINE_string(
    "checkpoint_dir",
    None,
    "Folder that contains `reconstruction/` and `regression/`.",
    required=True,
)
_OUT = flags.DEFINE_string("out", None, "Weights file to write.", required=True)


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hides notes about the CPU
    with program.one_line_errors():
        atomic_files.check_file(_OUT.value)
        converted = checkpoint.released_weights(_CHECKPOINT_DIR.value)
        weights.save(converted, _OUT.value)
    print(f"Wrote {_OUT.value} (width f = {converted.restorer_config.pixel_features}).")


if __name__ == "__main__":
    program.start(main)
