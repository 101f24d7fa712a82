"""`agarnet restore`: restores files and folders."""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agarnet_jax import cores
from agarnet_jax.cli import exit_codes, restore_arguments
from agarnet_jax.cli.layout import Layout, plan
from agarnet_jax.cli.progress import Progress, StatusLine, format_duration
from agarnet_jax.cli.restorers import Restorers
from agarnet_jax.restoration.files import backups
from agarnet_jax.restoration.files.errors import InputError, printable, quoted, reason
from agarnet_jax.restoration.files.one_file import FileResult
from agarnet_jax.restoration.files.reports import (
    FAILED,
    RESTORED,
    SKIPPED,
    Identity,
    Report,
    digest,
)
from agarnet_jax.restoration.files.running import Job, Outcome, Run

_MAX_WORKERS = 4  # more would only use more memory: XLA's own threads already use the cores


def add_to(commands: Any) -> None:
    """Adds the subcommand."""
    restore_arguments.add_to(commands).set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Restores the inputs; returns 0, or 1 if some of several files failed.

    Raises:
      InputError: nothing can be restored, or the only file failed.
    """
    options = restore_arguments.options(arguments)
    layout = Layout.of(arguments)
    jobs = plan(arguments, layout, earlier={})  # raises before anything is created
    with contextlib.ExitStack() as stack:
        report, identity = None, None
        earlier: Mapping[str, str] = {}
        if layout.report is not None:
            _make_folder(layout.report.parent)
            identity = Identity(options, _digest_of_weights(arguments.weights))
            # In place, an existing report is always continued: it records what is already restored.
            append = arguments.resume or arguments.in_place
            report = stack.enter_context(Report(layout.report, resume=append))
            if earlier := report.outputs():
                jobs = plan(arguments, layout, earlier=earlier)
        if arguments.in_place:
            finished = earlier if arguments.resume else {}
            new = [job for job in jobs if os.path.abspath(job.source) not in finished]
            _warn_about_backups(new, resumable=report is not None)
        workers = min(arguments.jobs or min(cores.available(), _MAX_WORKERS), len(jobs))
        restorers = Restorers(arguments.weights, workers=workers)
        work = Run(options, restorers, report, identity, arguments.resume)
        if layout.single:
            return _print_single(_outcome_of_single(work, jobs[0]))
        return _print_all(work.outcomes(jobs, workers=workers), jobs, layout)


def _digest_of_weights(name: str) -> str:
    from agarnet_jax import weights  # imported late: loads JAX

    try:
        return digest(weights.path_of(name))
    except ValueError as error:
        raise InputError(str(error)) from None


def _warn_about_backups(jobs: Sequence[Job], *, resumable: bool) -> None:
    backed_up = sum(backups.has_backup(job.destination) for job in jobs)
    if backed_up:
        remedy = (
            "--resume skips those in the report of an earlier run"
            if resumable
            else "with --report FILE, --resume can skip them next time"
        )
        print(
            f"agarnet: {backed_up} of {len(jobs)} files may be restored a second time, since they "
            f"have a backup ({backups.BACKUP_SUFFIX}); {remedy}.",
            file=sys.stderr,
        )


def _make_folder(folder: pathlib.Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Folder {quoted(folder)} cannot be created: {reason(error)}.") from None


def _outcome_of_single(work: Run, job: Job) -> Outcome:
    line, name = StatusLine(), printable(job.source.name)
    line.draw(f"reading {name} …")
    work = dataclasses.replace(
        work, on_read=lambda width, height: line.draw(f"restoring {name} ({width}×{height}) …")
    )
    try:
        return next(iter(work.outcomes([job], workers=1)))
    finally:
        line.clear()


def _print_single(outcome: Outcome) -> int:
    if outcome.error is not None:
        raise InputError(outcome.error)
    for note in _notes(outcome):
        print(note, file=sys.stderr)
    print(_describe(outcome))
    return 0


def _print_all(outcomes: Iterable[Outcome], jobs: Sequence[Job], layout: Layout) -> int:
    started = time.monotonic()
    sizes = {job.source: _size(job.source) for job in jobs}
    progress = Progress(files=len(jobs), size=sum(sizes.values()))
    counts = {RESTORED: 0, SKIPPED: 0, FAILED: 0}
    try:
        for outcome in outcomes:
            counts[outcome.status] += 1
            for note in _notes(outcome):
                progress.say(note, file=sys.stderr)
            if outcome.error is not None:
                progress.say(f"agarnet: {outcome.error}", file=sys.stderr)
            else:
                progress.say(_describe(outcome))
            progress.add(
                sizes[outcome.job.source],
                failed=outcome.status == FAILED,
                skipped=outcome.status == SKIPPED,
            )
    finally:
        progress.close()
    summary = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    summary += f" in {format_duration(time.monotonic() - started)}"
    if layout.report is not None:
        exists = layout.report.exists()
        summary += f"; the report {'is ' + printable(layout.report) if exists else 'was removed'}"
    print(summary)
    return exit_codes.SOME_FAILED if counts[FAILED] else 0


def _describe(outcome: Outcome) -> str:
    destination, result = printable(outcome.job.destination), outcome.result
    if result is None:
        return f"{destination}: skipped, restored by an earlier run"
    return f"{destination}: restored, assuming JPEG quality {_quality(result)}"


def _quality(result: FileResult) -> str:
    low, high = (f"{value:.0f}" for value in result.quality_range)
    return low if low == high else f"{result.quality:.0f} ({low} to {high})"


def _notes(outcome: Outcome) -> list[str]:
    result = outcome.result
    if result is None:
        return []
    notes = list(result.notes)
    if result.grid not in (None, (0, 0)):
        notes.append(f"its 8×8 grid starts at row {result.grid[0]}, column {result.grid[1]}")
    if result.backup is not None:
        notes.append(f"the original is kept as {quoted(result.backup)}")
    return [f"agarnet: {quoted(result.source)}: {note}." for note in notes]


def _size(path: pathlib.Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
