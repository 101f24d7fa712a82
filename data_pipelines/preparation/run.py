"""A whole preparation: what is there already, the pipeline, what it left, its publication."""

import collections
import contextlib
import dataclasses
import functools
import uuid
from collections.abc import Sequence
from typing import Any

from data_pipelines.decoding import IMAGE_SUFFIXES
from data_pipelines.preparation import beam_options, execution, files, manifest, progress
from data_pipelines.preparation.execution import PipelineError
from data_pipelines.preparation.files import Listing
from data_pipelines.preparation.images import skip_by_name
from data_pipelines.preparation.marks import Marks
from data_pipelines.preparation.options import PrepareOptions
from data_pipelines.preparation.pipeline import (
    PreparationJob,
    PreparationReport,
    build,
    read_report,
)
from data_pipelines.preparation.quiet_beam import FileSystems, PipelineOptions

_STAGING = ".preparing-"


class PreparationError(ValueError):
    """The end of a preparation that published nothing; the message says why, on one line."""


@dataclasses.dataclass(frozen=True)
class PreparationOutcome:
    """The manifest of the output, and whether it was there before."""

    manifest: dict[str, Any]
    already_prepared: bool

    def summary(self) -> str:
        made = self.manifest
        skipped = ", ".join(f"{count} {kind}" for kind, count in made["skipped"].items())
        return (
            f"{made['images']} images, {made['records']} records, {made['pixels']} pixels, "
            f"{len(made['shards'])} shards; skipped: {skipped or 'none'}"
        )


def prepare(
    input_folder: str,
    output_folder: str,
    options: PrepareOptions,
    *,
    beam_arguments: Sequence[str] = (),
    overwrite: bool = False,
) -> PreparationOutcome:
    """Prepares a folder of images; only one process may do so for an output at a time.

    Raises:
      ValueError: folders that do not fit, or an output of something else without `overwrite`.
      OSError: there is no such input folder, or something in it cannot be read.
      PreparationError: no image is usable, files changed or cannot be read, or the pipeline failed.
    """
    pipeline_options = beam_options.parse(beam_arguments)
    FileSystems.set_options(pipeline_options)
    source = files.resolve(input_folder, "Input")
    target = files.resolve(output_folder, "Output")
    if f"{target}/".startswith(f"{source}/"):
        raise ValueError(f"Output folder {target!r} lies in the input folder {source!r}.")
    listing = files.list_files(source)
    former = manifest.existing(target)
    if former is not None and manifest.is_of(former, target, listing, options):
        files.delete_folders(target, _STAGING)
        return PreparationOutcome(former, already_prepared=True)
    if former is not None and not overwrite:
        raise ValueError(
            f"Output folder {target!r} was prepared from other files or with other options, or is "
            "damaged; give another folder, or --overwrite."
        )
    if all(skip_by_name(file.path) for file in listing.files):
        raise PreparationError(
            f"None of the {len(listing.files)} files of {source!r} is an image "
            f"({', '.join(IMAGE_SUFFIXES)})."
        )
    files.delete_folders(target, _STAGING)
    staging = f"{target}/{_STAGING}{uuid.uuid4().hex[:8]}"
    try:
        report = _run_pipeline(source, staging, listing, options, pipeline_options)
        made = manifest.make(listing, options, report.shards, report.skipped)
        _check(report, made)
        manifest.publish(made, report.shards, staging=staging, folder=target)
    finally:
        files.delete_folders(target, _STAGING)
    return PreparationOutcome(made, already_prepared=False)


def _run_pipeline(
    source: str,
    staging: str,
    listing: Listing,
    options: PrepareOptions,
    pipeline_options: PipelineOptions,
) -> PreparationReport:
    is_local = beam_options.is_local(pipeline_options)
    shown = progress.shown(len(listing.files)) if is_local else contextlib.nullcontext()
    with shown as marks_path:
        job = PreparationJob(source, staging, options, Marks(marks_path))
        files.write_listing(job.listing, listing)
        try:
            execution.run(functools.partial(build, job=job), pipeline_options)
        except PipelineError as error:
            raise PreparationError(f"{error}") from error
    return read_report(job.report)


def _check(report: PreparationReport, made: dict[str, Any]) -> None:
    if report.failed:
        first = report.failed[0]
        raise PreparationError(
            f"{len(report.failed)} files could not be prepared, the first: {first.path!r} "
            f"{first.reason}; run it again."
        )
    if not made["images"]:
        reasons = collections.Counter(made["skipped"]).most_common()
        raise PreparationError(
            f"No image is usable, {made['input']['files']} files skipped: "
            + ", ".join(f"{count} {kind}" for kind, count in reasons)
        )
