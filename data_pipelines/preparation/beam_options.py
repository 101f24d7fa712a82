"""Parses Beam's pipeline options, with defaults for local runs."""

import difflib
from collections.abc import Iterable, Sequence

from data_pipelines.preparation.quiet_beam import (
    DirectOptions,
    PipelineOptions,
    StandardOptions,
)

_LOCAL_RUNNERS = ("", "direct", "fnapi")
# Placed before the user's flags, so that those override them. 0 workers: one per core.
_LOCAL_DEFAULTS = (
    "--direct_running_mode=multi_processing",
    "--direct_num_workers=0",
    "--default_sdk_harness_log_level=WARNING",
)


def is_local(options: PipelineOptions) -> bool:
    """Returns whether the options name no runner, or Beam's local one."""
    name = options.view_as(StandardOptions).runner or ""
    return name.lower().removesuffix("runner") in _LOCAL_RUNNERS


def parse(arguments: Sequence[str]) -> PipelineOptions:
    """Parses the options of a run; by default, a local run uses every core."""
    options = PipelineOptions(list(arguments))
    if not is_local(options):
        return options
    options = PipelineOptions([*_LOCAL_DEFAULTS, *arguments])
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode == "in_memory":
        direct.direct_num_workers = 1
    return options


def check(arguments: Sequence[str], *, other_flags: Iterable[str] = ()) -> None:
    """Rejects flags that Beam does not know and would silently drop.

    Raises:
      ValueError: names the first unknown flag and the most similar one among Beam's and
        `other_flags` (without dashes).
    """
    parsers: list = []
    known = PipelineOptions([]).get_all_options(add_extra_args_fn=parsers.append)
    _, unknown = parsers[0].parse_known_args(list(arguments))
    if unknown:
        name = unknown[0].lstrip("-").split("=")[0]
        similar = difflib.get_close_matches(name, [*other_flags, *known], n=1)
        hint = f"did you mean --{similar[0]}?" if similar else "see --help, or Beam's options."
        raise ValueError(f"Unknown flag {unknown[0]!r}; {hint}")
