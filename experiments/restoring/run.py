"""A whole corpus: what is asked for is checked, the pipeline run, its dead letters counted."""

import dataclasses
import json
import os
from collections.abc import Sequence

from agarnet_jax.restoration import formats
from agarnet_jax.restoration.options import RestoreOptions
from data_pipelines.preparation import beam_options, files, local
from data_pipelines.preparation.quiet_beam import FileSystems, PipelineState, beam
from experiments.restoring.names import Names
from experiments.restoring.pipeline import FAILED, KEPT, RESTORED, Job, build

# One process with all devices; a network in each of several would take memory and gain nothing.
_LOCAL_DEFAULTS = ("--direct_running_mode=in_memory",)


class CorpusError(ValueError):
    """The pipeline could not run; the message says why, on one line."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How many files were restored now, or were there already; the failed ones' report lines."""

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
) -> Outcome:
    """Restores all files that a pattern matches.

    Raises:
      ValueError: a pattern without files, an unknown format, or an output among the inputs.
      CorpusError: the pipeline failed.
    """
    pipeline_options = beam_options.parse([*_LOCAL_DEFAULTS, *beam_arguments])
    FileSystems.set_options(pipeline_options)
    names = _names(pattern, output, format)
    _remove_reports(names.output)
    job = Job(names, options, weights, skip_existing)
    is_local = beam_options.is_local(pipeline_options)
    try:
        runner = local.runner(pipeline_options, lock="") if is_local else None
        pipeline = beam.Pipeline(runner=runner, options=pipeline_options)
        build(pipeline, job)
        state = local.finish(pipeline) if is_local else pipeline.run().wait_until_finish()
    except (ImportError, RuntimeError, ValueError) as error:  # of Beam, with whole tracebacks
        raise CorpusError(f"Beam: {f'{error}'.strip().splitlines()[-1]}") from error
    if state != PipelineState.DONE:
        raise CorpusError(f"Beam: the pipeline ended as {state}.")
    done = [line["status"] for line in _lines(names.output, RESTORED)]
    return Outcome(done.count(RESTORED), done.count(KEPT), _lines(names.output, FAILED))


def _names(pattern: str, output: str, format: str) -> Names:
    if format not in formats.BY_NAME:
        raise ValueError(f"Format {format!r} is unknown; use {', '.join(formats.BY_NAME)}.")
    if files.is_local(pattern):
        pattern = os.path.abspath(pattern)
        if os.path.isdir(pattern):
            raise ValueError(f"Input {pattern!r} is a folder; give a pattern: {pattern}/**.jpg.")
    names = Names(pattern, files.resolve(output, "Output"), formats.BY_NAME[format].suffixes[0])
    if f"{names.output}/".startswith(names.root):
        raise ValueError(
            f"Output folder {names.output!r} lies in the input folder {names.root!r}, where a "
            "second run would take its images for inputs; give another one."
        )
    if not FileSystems.match([pattern], limits=[1])[0].metadata_list:
        raise ValueError(f"No file matches {pattern!r}; '**' also stands for folders.")
    return names


def _remove_reports(output: str) -> None:
    for kind in (FAILED, RESTORED):
        files.delete(list(files.sizes(f"{output}/{kind}-*.jsonl")))


def _lines(output: str, kind: str) -> list[dict[str, str]]:
    paths = sorted(files.sizes(f"{output}/{kind}-*.jsonl"))
    return [json.loads(line) for path in paths for line in files.read(path).splitlines()]
