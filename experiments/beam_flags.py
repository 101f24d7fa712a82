"""Command-line flags of programs that run on Apache Beam: the program's own and Beam's."""

import sys
from collections.abc import Sequence

from absl import flags

from data_pipelines.preparation import beam_options


def parse(arguments: Sequence[str]) -> list[str]:
    """Parses the program's own flags; returns its name and the flags left for Beam.

    Flags after `--` are passed on to Beam unchecked.
    """
    checked, unchecked = list(arguments), []
    if "--" in checked:
        separator = checked.index("--")
        checked, unchecked = checked[:separator], checked[separator + 1 :]
    try:
        rest = flags.FLAGS(checked, known_only=True)
        beam_options.check(rest[1:], other_flags=flags.FLAGS)
    except (flags.Error, ValueError) as error:
        sys.exit(f"{error}")
    return [*rest, *unchecked]
