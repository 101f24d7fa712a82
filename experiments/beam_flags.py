"""The flags of programs that run on Apache Beam: ours, and Beam's own beside them."""

import sys
from collections.abc import Sequence

from absl import flags

from data_pipelines.preparation import beam_options


def parse(arguments: Sequence[str]) -> list[str]:
    """Reads our flags; returns the program's name and the flags for Beam."""
    ours, unchecked = list(arguments), []
    if "--" in ours:
        separator = ours.index("--")
        ours, unchecked = ours[:separator], ours[separator + 1 :]
    try:
        rest = flags.FLAGS(ours, known_only=True)
        beam_options.check(rest[1:], other_flags=flags.FLAGS)
    except (flags.Error, ValueError) as error:
        sys.exit(f"{error}")
    return [*rest, *unchecked]
