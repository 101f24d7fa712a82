"""The Beam pipeline: finds files, groups them by compiled shape, and restores them.

Only paths, shapes and results pass between the steps, never images.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from apache_beam.io import WriteToText, fileio
from PIL import Image

from agarnet_jax import atomic_files
from agarnet_jax.restoration.files import one_file
from agarnet_jax.restoration.files.errors import InputError, printable, unexpected
from agarnet_jax.restoration.files.options import RestoreOptions
from agarnet_jax.restoration.tiling import LARGEST_TILE, OVERLAP, Tiling
from data_pipelines.preparation import files
from data_pipelines.preparation.quiet_beam import CompressionTypes, FileSystems, beam
from experiments.restoring.names import CorpusNames

FAILED, RESTORED, KEPT = "failed", "restored", "kept"
_BATCH_SIZE = 32  # files
_BATCH_SECONDS = 30  # maximum wait for a full batch
# The restorer's own tiling: large images share compiled programs by their tiles, small ones by
# their sides rounded up to multiples of 64.
_TILING = Tiling(LARGEST_TILE, OVERLAP, grid=64, padding="edge")


@dataclasses.dataclass(frozen=True)
class CorpusJob:
    """What every worker needs to know.

    weights: a shipped name, a file, or the URL of one. skip_existing: skip inputs that already have
    an output.
    """

    names: CorpusNames
    options: RestoreOptions
    weights: str
    skip_existing: bool


def build(pipeline: beam.Pipeline, job: CorpusJob) -> None:
    """Adds all steps; they write `restored-*.jsonl` and `failed-*.jsonl` to the output folder."""
    found = (
        pipeline
        | "Pattern" >> beam.Create([job.names.pattern])
        | "Match" >> fileio.MatchAll()
        | "Path" >> beam.FlatMap(_utf8_path).with_outputs(FAILED, main="found")
    )
    keyed = (
        found.found
        | "Spread" >> beam.Reshuffle()
        | "Shape" >> beam.ParDo(_AddShape(job)).with_outputs(FAILED, KEPT, main="shapes")
    )
    restoring = beam.ParDo(_Restore(job)).with_outputs(FAILED, main=RESTORED)
    done = batches(keyed.shapes) | "Restore" >> restoring
    failed = (found[FAILED], keyed[FAILED], done[FAILED]) | "All failed" >> beam.Flatten()
    restored = (keyed[KEPT], done[RESTORED]) | "All restored" >> beam.Flatten()
    for kind, lines in ((FAILED, failed), (RESTORED, restored)):
        _ = (
            lines
            | f"As JSON: {kind}" >> beam.Map(json.dumps)
            | f"Write {kind}"
            >> WriteToText(f"{job.names.output}/{kind}", file_name_suffix=".jsonl")
        )


def _utf8_path(match: Any) -> Iterator[Any]:
    """Yields the path of a match, or a failure if Beam cannot encode the path as UTF-8."""
    try:
        match.path.encode()
    except UnicodeEncodeError:
        path = printable(match.path)
        yield _failed(path, f"{path}: its name is not UTF-8; rename it.")
    else:
        yield match.path


def batches(shapes: beam.PCollection) -> beam.PCollection:
    """Groups pairs (shape, path) to (shape, batch of paths), distributed over all workers."""
    return (
        shapes
        # Keys need a deterministic encoding, so Beam must know that they are strings.
        | "As pairs" >> beam.Map(lambda pair: pair).with_output_types(tuple[str, str])
        | "By shape"
        >> beam.GroupIntoBatches(_BATCH_SIZE, max_buffering_duration_secs=_BATCH_SECONDS)
        # All batches of a shape are at one worker, and nearly all photographs have the same shape.
        | "Spread batches" >> beam.Reshuffle()
    )


class _AddShape(beam.DoFn):
    """Reads each file's header and pairs its path with the shape it is computed in."""

    def __init__(self, job: CorpusJob):
        self._job = job

    def process(self, path: str) -> Iterator[Any]:
        output = self._job.names.output_path(path)
        if self._job.skip_existing and FileSystems.exists(output):
            line = {"source": path, "destination": output, "status": KEPT}
            yield beam.pvalue.TaggedOutput(KEPT, line)
            return
        if files.is_device_or_pipe(path):
            yield _failed(path, f"{path}: it is a device or pipe.")
            return
        try:
            with (
                FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file,
                Image.open(file) as image,
            ):
                shape = shape_key(*image.size)
        except Exception:  # the restoring step reports the error
            shape = "unknown"
        yield shape, path


def shape_key(width: int, height: int) -> str:
    """Returns a key that images share if they share compiled programs, as most large ones do."""
    return "x".join(f"{_TILING.side(side)}" for side in (height, width))


class _Restore(beam.DoFn):
    """Restores files through local copies; loads the network once per worker."""

    def __init__(self, job: CorpusJob):
        self._job = job
        self._restorer: Any = None

    def setup(self) -> None:
        # Imported here, as the program that builds the pipeline needs no JAX.
        from agarnet_jax import runtime
        from agarnet_jax.restoration import Restorer

        runtime.prepare()
        with _local_copy(self._job.weights) as weights:
            self._restorer = Restorer.from_pretrained(weights)

    def process(self, group: tuple[str, Iterable[str]]) -> Iterator[Any]:
        _, paths = group
        for path in paths:
            try:
                yield self._restore(path)
            except InputError as error:
                yield _failed(path, f"{error}")
            except Exception as error:  # a bug, here or in a decoder, must not stop the pipeline
                yield _failed(path, unexpected(path, error))

    def _restore(self, path: str) -> dict[str, Any]:
        output = self._job.names.output_path(path)
        with tempfile.TemporaryDirectory(prefix="agarnet-") as folder:
            # Suffixes determine the formats.
            source = pathlib.Path(folder, f"input{os.path.splitext(path)[1]}")
            source.write_bytes(files.read(path))
            target = pathlib.Path(folder, f"output{self._job.names.suffix}")
            try:
                result = one_file.restore_file(
                    source, target, restorer=self._restorer, options=self._job.options
                )
            except InputError as error:  # its message names the copy
                raise InputError(f"{error}".replace(f"{source}", path)) from None
            publish(target, output)
        line = result.as_json() | {"source": path, "destination": output, "status": RESTORED}
        del line["backup"]
        return line


def _failed(path: str, error: str) -> beam.pvalue.TaggedOutput:
    line = {"source": path, "error": error, "status": FAILED}
    return beam.pvalue.TaggedOutput(FAILED, line)


def publish(source: pathlib.Path, output: str) -> None:
    """Copies a file to its output path atomically, as object stores do by themselves."""
    if files.is_local(output):
        os.makedirs(os.path.dirname(output), exist_ok=True)
        atomic_files.write(output, source.read_bytes())
    else:
        files.upload(str(source), output)


@contextlib.contextmanager
def _local_copy(weights: str) -> Iterator[str]:
    """Yields a shipped name or local path unchanged, and a URL as the path of a local copy."""
    if files.is_local(weights):
        yield weights
        return
    with tempfile.TemporaryDirectory(prefix="agarnet-") as folder:
        copy = pathlib.Path(folder, os.path.basename(weights))
        copy.write_bytes(files.read(weights))
        yield str(copy)
