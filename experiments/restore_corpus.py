"""Restores a corpus of images that is too large for one machine, with Apache Beam.

    python -m experiments.restore_corpus --input='gs://BUCKET/photos/**.jpg' --output=gs://BUCKET/out

The flags below correspond to options of `agarnet restore`: --nochroma to --luma-only, and
--skip_existing replaces --resume. Outputs keep the whole input name (a.jpg.png) and the folder
structure of the inputs. `restored-*.jsonl` has one line per restored file, `failed-*.jsonl` one per
file that could not be restored, with the reason. Exit code 1: some files failed, or nothing could
be done (docs/restoration.md).

Runs on this machine by default. Flags of Apache Beam are passed on, so the same command also runs
elsewhere (not tested): --runner=DataflowRunner --project=… --region=… --temp_location=gs://…, with
apache-beam[gcp] and this package on the workers (--extra_package=WHEEL, or a container). Needs the
extra `beam`.
"""

import sys
import time
from collections.abc import Sequence

from absl import flags

from experiments import program

with program.one_line_errors():  # the extra may not be installed
    from agarnet_jax.restoration.files.options import GridChoice, RestoreOptions, parse_quality
    from experiments import beam_flags
    from experiments.restoring.run import restore_corpus

_INPUT = flags.DEFINE_string("input", None, "Pattern of image files (*, ?, **).", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for restored images.", required=True)
_FORMAT = flags.DEFINE_string("format", "png", "Format of restored images: png, webp, tiff, …")
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped name, weights file, or URL of one.")
_QUALITY = flags.DEFINE_string(
    "quality", "auto", "auto, map, header, or a JPEG quality of 1 to 100."
)
_STRENGTH = flags.DEFINE_float(
    "strength", 1.0, "Strength of the restoration, from 0 (unchanged) to 1.5."
)
_CHROMA = flags.DEFINE_bool("chroma", True, "Restore chroma as well as luma.")
_GRID = flags.DEFINE_enum_class("grid", GridChoice.AUTO, GridChoice, "Position of the 8x8 grid.")
_CONSISTENT = flags.DEFINE_bool(
    "consistent", False, "Project onto the JPEG's quantization intervals."
)
_ENSEMBLE = flags.DEFINE_integer("ensemble", 1, "8: average over 8 flips and rotations.")
_SKIP_EXISTING = flags.DEFINE_bool(
    "skip_existing", False, "Skip inputs that already have an output."
)


def _options() -> RestoreOptions:
    return RestoreOptions(
        quality=parse_quality(_QUALITY.value),
        strength=_STRENGTH.value,
        chroma=_CHROMA.value,
        grid=_GRID.value,
        consistent=_CONSISTENT.value,
        ensemble=_ENSEMBLE.value,
    )


def main(arguments: Sequence[str]) -> None:
    start = time.monotonic()
    with program.one_line_errors():
        outcome = restore_corpus(
            _INPUT.value,
            _OUTPUT.value,
            format=_FORMAT.value,
            options=_options(),
            weights=_WEIGHTS.value,
            skip_existing=_SKIP_EXISTING.value,
            beam_arguments=arguments[1:],
        )
    print(
        f"{outcome.restored} restored, {outcome.kept} skipped, {len(outcome.failed)} failed; "
        f"{time.monotonic() - start:.1f} s."
    )
    for line in outcome.failed[:10]:
        print(f"failed: {line['source']}: {line['error']}", file=sys.stderr)
    if outcome.failed:
        sys.exit(1)


if __name__ == "__main__":
    program.run(main, flags_parser=beam_flags.parse)
