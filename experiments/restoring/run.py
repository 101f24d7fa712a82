"""Restores a whole corpus: checks the arguments, runs the pipeline, collects the failures."""

import dataclasses
import functools
import json
import os
from collections.abc import Sequence

from agarnet_jax.restoration.files import formats
from agarnet_jax.restoration.files.options import RestoreOptions
from data_pipelines.preparation import beam_options, execution, files
from data_pipelines.preparation.quiet_beam import FileSystems
from experiments.restoring.names import CorpusNames
from experiments.restoring.pipeline import FAILED, KEPT, RESTORED, CorpusJob, build

# One process with all devices: several would each hold the network, without being faster.
_LOCAL_DEFAULTS = ("--direct_running_mode=in_memory",)


@dataclasses.dataclass(frozen=True)
class CorpusOutcome:
    """Numbers of files restored and skipped, and the report lines of those that failed."""

    restored: int
    kept: int
    failed: list[dict[str, str]]


def restore_corpus(
    pattern: str,
    output: str,
    *,
    format: str,
    options: RestoreOptions,
    weights: str,
    skip_existing: bool,
    beam_arguments: Sequence[str] = (),
) -> CorpusOutcome:
    """Restores all files that a pattern matches.

    Raises:
      ValueError: no file matches the pattern, the format is unknown, the output lies among the
        inputs, or the weights do not exist.
      PipelineError: the pipeline could not run, or failed.
    """
    pipeline_options = beam_options.parse([*_LOCAL_DEFAULTS, *beam_arguments])
    FileSystems.set_options(pipeline_options)
    names = _checked_names(pattern, output, format)
    if files.is_local(weights):
        from agarnet_jax.weights import load  # imports JAX

        load(weights)  # fails early if they do not exist
    _remove_reports(names.output)
    job = CorpusJob(names, options, weights, skip_existing)
    execution.run(functools.partial(build, job=job), pipeline_options)
    done = [line["status"] for line in _lines(names.output, RESTORED)]
    return CorpusOutcome(done.count(RESTORED), done.count(KEPT), _lines(names.output, FAILED))


def _checked_names(pattern: str, output: str, format: str) -> CorpusNames:
    if format not in formats.BY_NAME:
        raise ValueError(f"Format {format!r} is unknown; use {', '.join(formats.BY_NAME)}.")
    if files.is_local(pattern):
        pattern = os.path.abspath(pattern)
        if os.path.isdir(pattern):
            raise ValueError(f"Input {pattern!r} is a folder; give a pattern: {pattern}/**.jpg.")
    names = CorpusNames(
        pattern, files.resolve(output, "Output"), formats.BY_NAME[format].suffixes[0]
    )
    # The output's symbolic links are resolved, so a local input's must be, too.
    root = os.path.join(os.path.realpath(names.root), "") if files.is_local(pattern) else names.root
    if f"{names.output}/".startswith(root):
        raise ValueError(
            f"Output folder {names.output!r} is in the input folder {names.root!r}, where a second "
            "run would read its images as inputs; choose another folder."
        )
    if not FileSystems.match([pattern], limits=[1])[0].metadata_list:
        raise ValueError(f"No file matches {pattern!r}; '**' also matches across folders.")
    return names


def _remove_reports(output: str) -> None:
    for kind in (FAILED, RESTORED):
        files.delete(list(files.sizes(f"{output}/{kind}-*.jsonl")))
        files.delete_folders(output, f"beam-temp-{kind}-")  # left by a killed or failed run


def _lines(output: str, kind: str) -> list[dict[str, str]]:
    paths = sorted(files.sizes(f"{output}/{kind}-*.jsonl"))
    return [json.loads(line) for path in paths for line in files.read(path).splitlines()]
