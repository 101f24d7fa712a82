"""Prepares a folder: checks the output, runs the pipeline, checks its report and publishes it."""

import collections
import contextlib
import dataclasses
import functools
import uuid
from collections.abc import Sequence
from typing import Any

from data_pipelines.decoding import IMAGE_SUFFIXES
from data_pipelines.preparation import beam_options, execution, files, manifest
from data_pipelines.preparation.event_counter import EventCounter
from data_pipelines.preparation.execution import PipelineError
from data_pipelines.preparation.files import Listing
from data_pipelines.preparation.images import skip_by_name
from data_pipelines.preparation.options import PrepareOptions
from data_pipelines.preparation.pipeline import (
    PreparationJob,
    PreparationReport,
    build,
    read_report,
)
from data_pipelines.preparation.progress import progress_bars
from data_pipelines.preparation.quiet_beam import FileSystems, PipelineOptions

_STAGING = ".preparing-"


class PreparationError(ValueError):
    """Raised when a preparation publishes nothing; the one-line message gives the reason."""


@dataclasses.dataclass(frozen=True)
class PreparationOutcome:
    """The manifest of the output, and whether it existed before the run."""

    manifest: dict[str, Any]
    already_prepared: bool

    def summary(self) -> str:
        """Describes the output on one line."""
        manifest = self.manifest
        skipped = ", ".join(f"{count} {kind}" for kind, count in manifest["skipped"].items())
        return (
            f"{manifest['images']} images, {manifest['records']} records, "
            f"{manifest['pixels']} pixels, {len(manifest['shards'])} shards; "
            f"skipped: {skipped or 'none'}"
        )


def prepare(
    input_folder: str,
    output_folder: str,
    options: PrepareOptions,
    *,
    beam_arguments: Sequence[str] = (),
    overwrite: bool = False,
) -> PreparationOutcome:
    """Prepares a folder of images; only one process at a time may prepare an output folder.

    Raises:
      ValueError: the folders are invalid, or the output was prepared from another input or with
        other options and `overwrite` is not set.
      OSError: the input folder does not exist, or something in it cannot be read.
      PreparationError: no image is usable, files changed or cannot be read, or the pipeline failed.
    """
    pipeline_options = beam_options.parse(beam_arguments)
    FileSystems.set_options(pipeline_options)
    source = files.resolve(input_folder, "Input")
    target = files.resolve(output_folder, "Output")
    if f"{target}/".startswith(f"{source}/"):
        raise ValueError(
            f"Output folder {target!r} lies in the input folder {source!r}; give a folder outside."
        )
    listing = files.list_files(source)
    existing = manifest.read(target)
    if existing is not None and manifest.is_current(existing, target, listing, options):
        files.delete_folders(target, _STAGING)
        return PreparationOutcome(existing, already_prepared=True)
    if existing is not None and not overwrite:
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
        new_manifest = manifest.make(listing, options, report.shards, report.skipped)
        _check(report, new_manifest)
        manifest.publish(new_manifest, report.shards, staging=staging, folder=target)
    finally:
        files.delete_folders(target, _STAGING)
    return PreparationOutcome(new_manifest, already_prepared=False)


def _run_pipeline(
    source: str,
    staging: str,
    listing: Listing,
    options: PrepareOptions,
    pipeline_options: PipelineOptions,
) -> PreparationReport:
    with (
        progress_bars(len(listing.files))
        if beam_options.is_local(pipeline_options)
        else contextlib.nullcontext(EventCounter())
    ) as events:
        job = PreparationJob(source, staging, options, events)
        files.write(job.listing, listing.to_lines())
        try:
            execution.run(functools.partial(build, job=job), pipeline_options)
        except PipelineError as error:
            raise PreparationError(f"{error}") from error
    return read_report(job.report)


def _check(report: PreparationReport, new_manifest: dict[str, Any]) -> None:
    if report.failed:
        first = report.failed[0]
        raise PreparationError(
            f"{len(report.failed)} files could not be prepared; the first: {first.path!r} "
            f"{first.reason}. Run the command again."
        )
    if not new_manifest["images"]:
        reasons = collections.Counter(new_manifest["skipped"]).most_common()
        raise PreparationError(
            f"No image is usable; {new_manifest['input']['files']} files skipped: "
            + ", ".join(f"{count} {kind}" for kind, count in reasons)
        )
