"""Restores a corpus of images, too large for one machine, by an Apache Beam pipeline.

    python -m experiments.restore_corpus --input='gs://BUCKET/photos/**.jpg' --output=gs://BUCKET/out

Of the options of `agarnet restore` it has those below; --nochroma is --luma-only, --skip_existing
in place of --resume. Outputs are named by the whole input name (a.jpg.png), in folders built as the
inputs' are; `restored-*.jsonl` has a line for each, `failed-*.jsonl` one for each file that could
not be restored, with the reason. Exit code 1 says that there are such, or that nothing could be
done (docs/restoration.md).

Without further flags it runs on this machine. Flags of Apache Beam are passed on to it, so the same
command runs elsewhere: --runner=DataflowRunner --project=… --region=… --temp_location=gs://…, with
apache-beam[gcp] and this package on the workers (--extra_package=WHEEL, or a container); not run.
Needs the extra `beam`.
"""

import sys
import time
from collections.abc import Sequence

from absl import flags

from experiments import program

with program.one_line_errors():  # the extra may be missing
    from agarnet_jax.restoration.files.options import GridChoice, RestoreOptions, parse_quality
    from experiments import beam_flags
    from experiments.restoring.run import restore_corpus

_INPUT = flags.DEFINE_string("input", None, "Pattern of image files (*, ?, **).", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Folder of restored images.", required=True)
_FORMAT = flags.DEFINE_string("format", "png", "Of the restored images: png, webp, tiff, …")
_WEIGHTS = flags.DEFINE_string("weights", "tiny", "Shipped weights by name, a file, or a URL.")
_QUALITY = flags.DEFINE_string("quality", "auto", "auto, map, header, or 1 to 100.")
_STRENGTH = flags.DEFINE_float("strength", 1.0, "0 (unchanged) to 1.5.")
_CHROMA = flags.DEFINE_bool("chroma", True, "Restore colour as well as luma.")
_GRID = flags.DEFINE_enum_class("grid", GridChoice.AUTO, GridChoice, "Where the 8x8 grid lies.")
_CONSISTENT = flags.DEFINE_bool("consistent", False, "Keep to the files' quantization intervals.")
_ENSEMBLE = flags.DEFINE_integer("ensemble", 1, "8: mean over the eight rotations and mirrorings.")
_SKIP_EXISTING = flags.DEFINE_bool("skip_existing", False, "Leave out what has an output already.")


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
        f"{outcome.restored} restored, {outcome.kept} there already, {len(outcome.failed)} failed; "
        f"{time.monotonic() - start:.1f} s."
    )
    for line in outcome.failed[:10]:
        print(f"failed: {line['source']}: {line['error']}", file=sys.stderr)
    if outcome.failed:
        sys.exit(1)


if __name__ == "__main__":
    program.run(main, flags_parser=beam_flags.parse)
