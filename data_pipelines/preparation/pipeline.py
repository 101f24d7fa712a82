"""The Beam pipeline: files are verified, duplicates dropped, the rest packed, all reported.

Only paths, sizes and digests pass between the steps, never an image: a worker holds one at a time.
"""

import dataclasses
import json
import warnings
from collections.abc import Iterable, Iterator

from PIL import Image

from data_pipelines.preparation import files
from data_pipelines.preparation.files import InputFile
from data_pipelines.preparation.images import (
    Failed,
    Kept,
    Skipped,
    duplicate,
    skip_by_name,
    verify,
)
from data_pipelines.preparation.marks import Marks
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

_ASIDE = "aside"  # the output of what is not kept


@dataclasses.dataclass(frozen=True)
class PreparationJob:
    """What every worker knows: folders, options, and where it marks its progress."""

    folder: str
    staging: str
    options: PrepareOptions
    marks: Marks

    @property
    def listing(self) -> str:
        return f"{self.staging}/listing"

    @property
    def report(self) -> str:
        return f"{self.staging}/report"


@dataclasses.dataclass(frozen=True)
class PreparationReport:
    """What the pipeline did."""

    shards: list[Shard]
    skipped: list[Skipped]
    failed: list[Failed]


def build(pipeline: beam.Pipeline, job: PreparationJob) -> None:
    """Adds all steps. The listing must be in its place; at the end the report is."""
    listed = (
        pipeline
        | "Listing" >> beam.Create([job.listing])
        | "Read listing" >> beam.FlatMap(files.read_listing)
        | "Spread" >> beam.Reshuffle()
    )
    verified = listed | "Verify" >> beam.ParDo(_Verify(job)).with_outputs(_ASIDE, main="kept")
    unique = (
        verified.kept
        | "By pixels" >> beam.Map(lambda image: (image.pixel_sha256, image))
        | "Group the same" >> beam.GroupByKey()
        | "Drop duplicates" >> beam.ParDo(_Deduplicate(job)).with_outputs(_ASIDE, main="kept")
    )
    count = beam.pvalue.AsSingleton(
        unique.kept
        | "Bytes" >> beam.Map(estimated_bytes, job.options)
        | "Sum" >> beam.CombineGlobally(sum)
        | "Number of shards" >> beam.Map(shard_count, job.options)
    )
    by_shard = unique.kept | "By shard" >> beam.Map(_with_shard, count)
    # A shard that no image falls into is written as well.
    every_shard = pipeline | "Start" >> beam.Create([None]) | "Shards" >> beam.FlatMap(_all, count)
    written = (
        (by_shard, every_shard)
        | "Join" >> beam.Flatten()
        | "Group shards" >> beam.GroupByKey()
        | "Write shards" >> beam.ParDo(_Write(job), count)
    )
    _ = (
        (written, verified[_ASIDE], unique[_ASIDE])
        | "All" >> beam.Flatten()
        | "To one place" >> beam.Map(lambda entry: (0, entry))
        | "Group all" >> beam.GroupByKey()
        | "Report" >> beam.Map(_write_report, job.report)
    )


def read_report(path: str) -> PreparationReport:
    """Reads a finished pipeline's report, sorted, so that it does not depend on the workers."""
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
        # Pillow's bound on pixels guards servers from strangers; twice that is still an error.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class _Verify(_Step):
    def process(self, file: InputFile):
        kept = self._verified(file)
        if isinstance(kept, Kept):
            self._job.marks.add("kept")
            yield kept
        else:
            self._job.marks.add("aside")
            yield beam.pvalue.TaggedOutput(_ASIDE, kept)

    def _verified(self, file: InputFile) -> Kept | Skipped | Failed:
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
                self._job.marks.add("duplicate")
                yield beam.pvalue.TaggedOutput(_ASIDE, duplicate(image, first))


class _Write(_Step):
    def process(self, group: tuple[int, Iterable[Kept | None]], shards: int):
        index, images = group
        try:
            yield write_shard(
                shard_name(index, shards),
                (image for image in images if image is not None),
                folder=self._job.folder,
                staging=self._job.staging,
                options=self._job.options,
                on_image=lambda: self._job.marks.add("packed"),
            )
        except FailedFileError as error:
            yield error.failed


def _with_shard(image: Kept, shards: int) -> tuple[int, Kept | None]:
    return image.shard(shards), image


def _all(_: None, shards: int) -> Iterator[tuple[int, Kept | None]]:
    for index in range(shards):
        yield index, None


def _write_report(group: tuple[int, Iterable[Shard | Skipped | Failed]], path: str) -> None:
    entries: dict[str, list] = {"Shard": [], "Skipped": [], "Failed": []}
    for entry in group[1]:
        entries[type(entry).__name__].append(dataclasses.asdict(entry))
    files.write(path, json.dumps(entries).encode())
