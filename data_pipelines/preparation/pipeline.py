"""The Beam pipeline: verifies files, drops duplicates, packs the rest into shards, and reports.

Only paths, sizes and digests pass between the steps, never images: a worker holds one image at a
time.
"""

import dataclasses
import json
import warnings
from collections.abc import Iterable, Iterator

from PIL import Image

from data_pipelines.preparation import files
from data_pipelines.preparation.event_counter import EventCounter
from data_pipelines.preparation.files import InputFile
from data_pipelines.preparation.images import (
    Failed,
    Kept,
    Skipped,
    duplicate,
    skip_by_name,
    verify,
)
from data_pipelines.preparation.options import PrepareOptions
from data_pipelines.preparation.quiet_beam import beam
from data_pipelines.preparation.shards import (
    FailedFileError,
    Shard,
    estimated_bytes,
    shard_count,
    shard_name,
    write_shard,
)

_REJECTED = "rejected"  # tag of the output for files that are not kept


@dataclasses.dataclass(frozen=True)
class PreparationJob:
    """The job description that every worker gets."""

    folder: str
    staging: str
    options: PrepareOptions
    events: EventCounter

    @property
    def listing(self) -> str:
        return f"{self.staging}/listing"

    @property
    def report(self) -> str:
        return f"{self.staging}/report"


@dataclasses.dataclass(frozen=True)
class PreparationReport:
    """The result of the pipeline."""

    shards: list[Shard]
    skipped: list[Skipped]
    failed: list[Failed]


def build(pipeline: beam.Pipeline, job: PreparationJob) -> None:
    """Adds all steps, from the listing, which must exist, to the report."""
    listed = (
        pipeline
        | "Listing" >> beam.Create([job.listing])
        | "Read listing" >> beam.FlatMap(files.read_listing)
        | "Reshuffle" >> beam.Reshuffle()
    )
    verified = listed | "Verify" >> beam.ParDo(_Verify(job)).with_outputs(_REJECTED, main="kept")
    unique = (
        verified.kept
        | "Key by pixels" >> beam.Map(lambda image: (image.pixel_sha256, image))
        | "Group duplicates" >> beam.GroupByKey()
        | "Drop duplicates" >> beam.ParDo(_Deduplicate(job)).with_outputs(_REJECTED, main="kept")
    )
    count = beam.pvalue.AsSingleton(
        unique.kept
        | "Estimate bytes" >> beam.Map(estimated_bytes, job.options)
        | "Sum" >> beam.CombineGlobally(sum)
        | "Count shards" >> beam.Map(shard_count, job.options)
    )
    images = unique.kept | "Key by shard" >> beam.Map(_key_by_shard, count)
    # Placeholders make sure that empty shards are written too.
    placeholders = (
        pipeline
        | "Start" >> beam.Create([None])
        | "Placeholders" >> beam.FlatMap(_placeholders, count)
    )
    written = (
        (images, placeholders)
        | "Merge" >> beam.Flatten()
        | "Group by shard" >> beam.GroupByKey()
        | "Write shards" >> beam.ParDo(_WriteShard(job), count)
    )
    _ = (
        (written, verified[_REJECTED], unique[_REJECTED])
        | "Merge results" >> beam.Flatten()
        | "Single key" >> beam.Map(lambda entry: (0, entry))
        | "Group results" >> beam.GroupByKey()
        | "Write report" >> beam.Map(_write_report, job.report)
    )


def read_report(path: str) -> PreparationReport:
    """Reads a finished pipeline's report, sorted, so that its order does not depend on workers."""
    entries = json.loads(files.read(path))
    return PreparationReport(
        sorted((Shard(**entry) for entry in entries["Shard"]), key=lambda shard: shard.name),
        sorted((Skipped(**entry) for entry in entries["Skipped"]), key=lambda file: file.path),
        sorted((Failed(**entry) for entry in entries["Failed"]), key=lambda file: file.path),
    )


class _Step(beam.DoFn):
    def __init__(self, job: PreparationJob):
        self._job = job

    def setup(self):
        # Pillow warns above its pixel limit, which protects servers; twice the limit still fails.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class _Verify(_Step):
    def process(self, file: InputFile):
        result = self._verify(file)
        if isinstance(result, Kept):
            self._job.events.add("kept")
            yield result
        else:
            self._job.events.add("rejected")
            yield beam.pvalue.TaggedOutput(_REJECTED, result)

    def _verify(self, file: InputFile) -> Kept | Skipped | Failed:
        skipped = skip_by_name(file.path)
        if skipped is not None:
            return skipped
        path = f"{self._job.folder}/{file.path}"
        if files.is_device_or_pipe(path):
            return Skipped(file.path, "a device or pipe", "a device or pipe")
        try:
            content = files.read(path)
        except OSError as error:
            return Failed(file.path, f"cannot be read: {error}")
        return verify(file.path, content, min_side=self._job.options.min_side)


class _Deduplicate(_Step):
    def process(self, group: tuple[str, Iterable[Kept]]):
        _, images = group
        first = min(images, key=lambda image: image.path)
        yield first
        for image in images:
            if image.path != first.path:
                self._job.events.add("duplicate")
                yield beam.pvalue.TaggedOutput(_REJECTED, duplicate(image, first))


class _WriteShard(_Step):
    def process(self, group: tuple[int, Iterable[Kept | None]], shards: int):
        index, images = group
        try:
            yield write_shard(
                shard_name(index, shards),
                (image for image in images if image is not None),
                folder=self._job.folder,
                staging=self._job.staging,
                options=self._job.options,
                on_image=lambda: self._job.events.add("packed"),
            )
        except FailedFileError as error:
            yield error.failed


def _key_by_shard(image: Kept, shards: int) -> tuple[int, Kept | None]:
    return image.shard(shards), image


def _placeholders(_: None, shards: int) -> Iterator[tuple[int, Kept | None]]:
    for index in range(shards):
        yield index, None


def _write_report(group: tuple[int, Iterable[Shard | Skipped | Failed]], path: str) -> None:
    entries: dict[str, list] = {"Shard": [], "Skipped": [], "Failed": []}
    for entry in group[1]:
        entries[type(entry).__name__].append(dataclasses.asdict(entry))
    files.write(path, json.dumps(entries).encode())
