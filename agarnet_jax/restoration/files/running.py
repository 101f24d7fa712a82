"""Many files, one after the other or several at a time; a bad one never stops the rest."""

import dataclasses
import os
import pathlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from agarnet_jax.restoration.files import one_file, reading
from agarnet_jax.restoration.files.errors import InputError, reason, shown, unexpected
from agarnet_jax.restoration.files.one_file import FileResult, Pictures
from agarnet_jax.restoration.files.options import RestoreOptions
from agarnet_jax.restoration.files.reports import FAILED, RESTORED, SKIPPED, Identity, Report

if TYPE_CHECKING:
    from agarnet_jax.restoration.restorer import Restorer

THREADS = "restoring "  # how the names of worker threads begin


@dataclasses.dataclass(frozen=True)
class Job:
    """A file to restore, and where to. problem: why it cannot be tried at all."""

    source: pathlib.Path
    destination: pathlib.Path
    pictures: Pictures = Pictures()
    problem: str | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a job: restored with a result, failed with an error, or skipped.

    key: what `reports.Identity` makes of the input, where a report is written.
    """

    job: Job
    status: str
    result: FileResult | None = None
    error: str | None = None
    key: str | None = None

    def as_json(self) -> dict[str, Any]:
        """A line of the report."""
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
    except OSError:  # somebody has moved it already
        return None


@dataclasses.dataclass(frozen=True)
class Run:
    """What all jobs of a run share.

    restorers: gives the restorer of a worker, by its number; called once each, after the worker
      has read its first file.
    report, identity: where results are written, and what makes them repeatable; or None.
    resume: whether jobs that the report says are finished are skipped.
    when_read: called with width and height of each input that was read, by its worker's thread.
    """

    options: RestoreOptions
    restorers: Callable[[int], "Restorer"]
    report: Report | None = None
    identity: Identity | None = None
    resume: bool = False
    when_read: Callable[[int, int], object] = lambda width, height: None

    def outcomes(self, jobs: Sequence[Job], *, workers: int) -> Iterator[Outcome]:
        """Does the jobs; yields each one's outcome as it ends, in the order they end.

        One worker is the calling thread, where Ctrl-C ends the work at once; several are threads
        of their own.

        Raises:
          InputError: the report cannot be written any more, or a restorer not be made.
        """
        if workers > 1 and len(jobs) > 1:
            yield from self._by_threads(jobs, min(workers, len(jobs)))
            return
        for outcome in _Worker(self, 0).outcomes(iter(jobs)):
            self._note(outcome)
            yield outcome

    def _note(self, outcome: Outcome) -> None:
        if self.report is not None:
            self.report.add(outcome.as_json())

    def _by_threads(self, jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
        waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        for job in jobs:
            waiting.put(job)

        def work(number: int) -> None:
            try:
                for outcome in _Worker(self, number).outcomes(_emptied(waiting)):
                    done.put(outcome)
            except BaseException as error:
                done.put(error)

        threads = [
            threading.Thread(target=work, args=(number,), daemon=True, name=f"{THREADS}{number}")
            for number in range(workers)
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in jobs:
                outcome = done.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                self._note(outcome)
                yield outcome
        except Exception:  # what the others have begun they finish; Ctrl-C does not wait
            _drop(waiting)
            for thread in threads:
                thread.join()
            raise
        finally:
            _drop(waiting)


def _drop(waiting: "queue.SimpleQueue[Job]") -> None:
    for _ in _emptied(waiting):
        pass


def _emptied(waiting: "queue.SimpleQueue[Job]") -> Iterator[Job]:
    while True:
        try:
            yield waiting.get_nowait()
        except queue.Empty:
            return


class _Worker:
    """Does jobs one by one with a restorer of its own."""

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
            except Exception as error:  # a decoder's or our own mistake is no reason to stop
                yield Outcome(job, FAILED, error=unexpected(job.source, error))

    def _outcome(self, job: Job) -> Outcome:
        if job.problem is not None:
            raise InputError(f"{shown(job.source)}: {job.problem}.")
        reading.check_is_file(job.source)
        key = self._key(job)
        if key is not None and self._is_finished(job, key):
            return Outcome(job, SKIPPED, key=key)
        _make_folders(job)
        prepared = one_file.prepare(
            job.source, job.destination, options=self._run.options, pictures=job.pictures
        )
        self._run.when_read(*prepared.file.size)
        if self._restorer is None:
            try:
                self._restorer = self._run.restorers(self._number)
            except ValueError as error:
                raise _NoRestorerError(str(error)) from None
        result = prepared.finish(self._restorer)
        if self._run.options.in_place:  # another run will find the result in the input's place
            key = self._key(job)
        return Outcome(job, RESTORED, result=result, key=key)

    def _is_finished(self, job: Job, key: str) -> bool:
        report = self._run.report
        return (
            self._run.resume
            and report is not None
            and report.has(job.source, job.destination, key=key)
            and all(path.exists() for path in job.pictures.paths())
        )

    def _key(self, job: Job) -> str | None:
        """None as well where the file cannot be read, which reading it will explain."""
        if self._run.identity is None:
            return None
        try:
            return self._run.identity.of(job.source)
        except OSError:
            return None


class _NoRestorerError(Exception):
    """The weights cannot be used, so no job can be done."""


def _make_folders(job: Job) -> None:
    for path in (job.destination, *job.pictures.paths()):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"The folder {shown(path.parent)} cannot be made: {reason(error)}."
            ) from None
