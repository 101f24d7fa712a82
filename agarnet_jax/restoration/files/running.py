"""Restores many files, one by one or in parallel; a file that fails never stops the others."""

import dataclasses
import os
import pathlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from agarnet_jax.restoration.files import one_file, reading
from agarnet_jax.restoration.files.errors import InputError, quoted, reason, unexpected
from agarnet_jax.restoration.files.one_file import FileResult, Visualizations
from agarnet_jax.restoration.files.options import RestoreOptions
from agarnet_jax.restoration.files.reports import FAILED, RESTORED, SKIPPED, Identity, Report

if TYPE_CHECKING:
    from agarnet_jax.restoration.restorer import Restorer

THREAD_PREFIX = "restoring "  # of the names of worker threads


@dataclasses.dataclass(frozen=True)
class Job:
    """A file to restore, and its output. problem: why it cannot be restored, if known already."""

    source: pathlib.Path
    destination: pathlib.Path
    visualizations: Visualizations = Visualizations()
    problem: str | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of a job: restored with a result, failed with an error, or skipped.

    key: the input's hash by `reports.Identity`, if a report is written.
    """

    job: Job
    status: str
    result: FileResult | None = None
    error: str | None = None
    key: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Returns a line of the report."""
        line: dict[str, Any] = {
            "source": os.path.abspath(self.job.source),
            "status": self.status,
            "destination": os.path.abspath(self.job.destination),
        }
        if self.result is not None:
            line |= self.result.as_json()
        if self.error is not None:
            line["error"] = self.error
        elif self.key is not None:
            line |= {"key": self.key, "bytes": _size(self.job.destination)}
        return line


def _size(path: pathlib.Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:  # it has already been moved or deleted
        return None


@dataclasses.dataclass(frozen=True)
class Run:
    """What all jobs of a run share.

    restorers: returns the restorer for a worker's number; called once per worker, after it has read
      its first file.
    report, identity: where outcomes are recorded, and what their keys are computed from; or None.
    resume: whether to skip jobs that are finished according to the report.
    on_read: called in the worker's thread with width and height of each input that was read.
    """

    options: RestoreOptions
    restorers: Callable[[int], "Restorer"]
    report: Report | None = None
    identity: Identity | None = None
    resume: bool = False
    on_read: Callable[[int, int], object] = lambda width, height: None

    def outcomes(self, jobs: Sequence[Job], *, workers: int) -> Iterator[Outcome]:
        """Runs the jobs and yields their outcomes in the order of completion.

        A single worker runs in the calling thread, where Ctrl-C stops it at once; several run in
        threads of their own.

        Raises:
          InputError: the report cannot be written, or a restorer cannot be created.
        """
        if workers > 1 and len(jobs) > 1:
            yield from self._in_threads(jobs, min(workers, len(jobs)))
            return
        for outcome in _Worker(self, 0).outcomes(iter(jobs)):
            self._record(outcome)
            yield outcome

    def _record(self, outcome: Outcome) -> None:
        if self.report is not None:
            self.report.add(outcome.as_json())

    def _in_threads(self, jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
        pending: queue.SimpleQueue[Job] = queue.SimpleQueue()
        results: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        for job in jobs:
            pending.put(job)

        def work(number: int) -> None:
            try:
                for outcome in _Worker(self, number).outcomes(_drain(pending)):
                    results.put(outcome)
            except BaseException as error:
                results.put(error)

        threads = [
            threading.Thread(
                target=work, args=(number,), daemon=True, name=f"{THREAD_PREFIX}{number}"
            )
            for number in range(workers)
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in jobs:
                outcome = results.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                self._record(outcome)
                yield outcome
        except Exception:  # unlike Ctrl-C, lets the other workers finish their current files
            _discard(pending)
            for thread in threads:
                thread.join()
            raise
        finally:
            _discard(pending)


def _discard(pending: "queue.SimpleQueue[Job]") -> None:
    for _ in _drain(pending):
        pass


def _drain(pending: "queue.SimpleQueue[Job]") -> Iterator[Job]:
    while True:
        try:
            yield pending.get_nowait()
        except queue.Empty:
            return


class _Worker:
    """Runs jobs one by one with its own restorer."""

    def __init__(self, run: Run, number: int):
        self._run, self._number = run, number
        self._restorer: Restorer | None = None

    def outcomes(self, jobs: Iterator[Job]) -> Iterator[Outcome]:
        for job in jobs:
            try:
                yield self._outcome(job)
            except InputError as error:
                yield Outcome(job, FAILED, error=str(error))
            except _NoRestorerError as error:
                raise InputError(str(error)) from None
            except Exception as error:  # a bug in a decoder or our code must not stop the run
                yield Outcome(job, FAILED, error=unexpected(job.source, error))

    def _outcome(self, job: Job) -> Outcome:
        if job.problem is not None:
            raise InputError(f"{quoted(job.source)}: {job.problem}.")
        reading.check_is_file(job.source)
        key = self._key(job)
        if key is not None and self._is_finished(job, key):
            return Outcome(job, SKIPPED, key=key)
        _make_folders(job)
        prepared = one_file.prepare(
            job.source,
            job.destination,
            options=self._run.options,
            visualizations=job.visualizations,
        )
        self._run.on_read(*prepared.file.size)
        if self._restorer is None:
            try:
                self._restorer = self._run.restorers(self._number)
            except ValueError as error:
                raise _NoRestorerError(str(error)) from None
        result = prepared.finish(self._restorer)
        if self._run.options.in_place:  # a later run will find the result at the input's path
            key = self._key(job)
        return Outcome(job, RESTORED, result=result, key=key)

    def _is_finished(self, job: Job, key: str) -> bool:
        report = self._run.report
        return (
            self._run.resume
            and report is not None
            and report.has(job.source, job.destination, key=key)
            and all(path.exists() for path in job.visualizations.paths())
        )

    def _key(self, job: Job) -> str | None:
        """Returns None without a report, or if the file is unreadable, which `prepare` reports."""
        if self._run.identity is None:
            return None
        try:
            return self._run.identity.of(job.source)
        except OSError:
            return None


class _NoRestorerError(Exception):
    """Raised when the weights cannot be used, so that no job can run."""


def _make_folders(job: Job) -> None:
    for path in (job.destination, *job.visualizations.paths()):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"Folder {quoted(path.parent)} cannot be created: {reason(error)}."
            ) from None
