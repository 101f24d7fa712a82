"""Converts a folder of images to verified, deduplicated ArrayRecord shards with a manifest.

    python -m experiments.prepare --input=DIR --output=DIR [--tile=256] [--direct_num_workers=4]

Runs on all cores of this machine by default. Flags of Apache Beam are passed on, so the same
command also runs elsewhere: --runner=DataflowRunner --project=… --region=… --temp_location=gs://…,
with folders on gs:// (apache-beam[gcp]) and this package on the workers (--extra_package=WHEEL, or
a container). Options that only a job server knows go after `--`.

After a kill, run the same command again: it starts over and writes the same bytes. Needs the extra
`beam`.
"""

import time
from collections.abc import Sequence

from absl import flags

from experiments import program

with program.one_line_errors():  # the extra may not be installed
    from data_pipelines.preparation.options import PrepareOptions
    from data_pipelines.preparation.run import prepare
    from experiments import beam_flags

_INPUT = flags.DEFINE_string("input", None, "Folder of images, read recursively.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for shards and manifest.", required=True)
_TILE = flags.DEFINE_integer(
    "tile", 0, "0: store the original files; N: store PNG tiles of at most N×N pixels."
)
_MIN_SIDE = flags.DEFINE_integer(
    "min_side", 64, "Skip images with a side shorter than this, in pixels."
)
_SHARDS = flags.DEFINE_integer(
    "shards", 0, "Number of shards, packed in parallel; 0: about one per 256 MiB."
)
_OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Replace the result of a different preparation in --output."
)


def main(arguments: Sequence[str]) -> None:
    start = time.monotonic()
    with program.one_line_errors():
        outcome = prepare(
            _INPUT.value,
            _OUTPUT.value,
            PrepareOptions(_TILE.value, _MIN_SIDE.value, _SHARDS.value),
            beam_arguments=arguments[1:],
            overwrite=_OVERWRITE.value,
        )
    if outcome.already_prepared:
        print(f"{_OUTPUT.value} is already prepared.")
    print(f"{outcome.summary()}; {time.monotonic() - start:.1f} s.")


if __name__ == "__main__":
    program.run(main, flags_parser=beam_flags.parse)
