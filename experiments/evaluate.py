"""Scores weights on clean images that it compresses itself, and compares them with the papers.

    python -m experiments.evaluate --images=FOLDER [--weights=tiny] [--qualities=10,20,40|10:95:5]
    python -m experiments.evaluate --suite=all --data_dir=DIR --out=DIR [--weights=…]

--weights is a shipped name, a weights file, or the working folder of a training run. Prints tables
in Markdown; --out also writes plots, all scores and an HTML report (extra `evaluate`).
`docs/evaluation.md` describes the suites, the protocols and the comparisons.
"""

import os
import sys

from absl import flags

from agarnet_jax import atomic_files, runtime
from agarnet_jax.color import LumaRange
from agarnet_jax.metrics import Rounding
from agarnet_jax.models import CellPlacement
from experiments import program
from experiments.evaluating import tables
from experiments.evaluating.evaluation import evaluate
from experiments.evaluating.models import RestorationOptions
from experiments.evaluating.report_parts import Report
from experiments.evaluating.settings import ALL, Settings, parse_qualities, parse_suites

_WEIGHTS = flags.DEFINE_string(
    "weights", "tiny", "Shipped name, weights file, or working folder of a training run."
)
_OTHERS = flags.DEFINE_multi_string("other_weights", [], "NAME=WEIGHTS to compare with.")
_BASELINES = flags.DEFINE_multi_string(
    "baseline", [], "NAME=FOLDER of images restored by another tool."
)
_SUITE = flags.DEFINE_list("suite", [], "Comma-separated suites, or all; see docs/evaluation.md.")
_DATA_DIR = flags.DEFINE_string(
    "data_dir", os.environ.get("AGARNET_DATA"), "Folder of the test sets; default: AGARNET_DATA."
)
_IMAGES = flags.DEFINE_string("images", None, "Folder of your own clean images.")
_QUALITIES = flags.DEFINE_list(
    "qualities", ["10", "20", "40", "60", "80"], "JPEG qualities for --images; 10:95:5 is a range."
)
_OUT = flags.DEFINE_string(
    "out", None, "Folder for the report; the same command continues an interrupted run."
)
_LUMA = flags.DEFINE_enum_class("luma", LumaRange.STUDIO, LumaRange, "Range of the scored luma.")
_ROUNDING = flags.DEFINE_enum_class(
    "rounding", Rounding.ROUND, Rounding, "How restored samples are converted to integers."
)
_CELLS = flags.DEFINE_enum_class(
    "estimator_cells", CellPlacement.PLACED, CellPlacement, "Placement of the estimator's cells."
)
_ENSEMBLE = flags.DEFINE_bool("ensemble", False, "Average over 8 flips and rotations.")
_CONSISTENT = flags.DEFINE_bool(
    "consistent", False, "Project onto the JPEG's quantization intervals."
)
_STEPS = flags.DEFINE_bool(
    "use_traces", True, "Use the exact quality where the last quantization table is detected."
)
_IMAGES_PER_SET = flags.DEFINE_integer(
    "images_per_set", None, "Use at most this many images of each set.", lower_bound=1
)


def settings() -> Settings:
    """Reads the flags; raises ValueError for invalid values."""
    return Settings(
        weights=_WEIGHTS.value,
        suites=parse_suites(_SUITE.value),
        all_suites=ALL in _SUITE.value,
        data_dir=_DATA_DIR.value,
        images=_IMAGES.value,
        qualities=parse_qualities(_QUALITIES.value),
        other_weights=tuple(_OTHERS.value),
        baselines=tuple(_BASELINES.value),
        out=_OUT.value,
        luma_range=_LUMA.value,
        rounding=_ROUNDING.value,
        cells=_CELLS.value,
        restoration=RestorationOptions(_ENSEMBLE.value, _CONSISTENT.value, _STEPS.value),
        images_per_set=_IMAGES_PER_SET.value,
    )


def show(report: Report) -> None:
    """Prints facts and tables to stdout, warnings to stderr."""
    for name, value in report.facts.items():
        print(f"- {name}: {value}")
    print()
    for table in report.tables:
        print(tables.markdown(table), end="\n\n")
    for warning in report.warnings:
        print(f"WARNING: {warning}", file=sys.stderr)
    sys.stdout.flush()  # drawing the plots takes a while


def main() -> None:
    runtime.prepare()
    with program.one_line_errors():
        if _OUT.value:
            atomic_files.check_folder(_OUT.value)
        evaluate(settings(), show=show)
    if _OUT.value:
        print(f"Look at {_OUT.value}/report.html.")


if __name__ == "__main__":
    program.start(main)
