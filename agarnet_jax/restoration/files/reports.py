"""The report of a run, a line of JSON for every file, and what a later run learns from it."""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, TextIO

import agarnet_jax
from agarnet_jax import file_lock
from agarnet_jax.restoration.files.errors import InputError, reason, shown
from agarnet_jax.restoration.files.options import RestoreOptions

_BEGIN = b'{"source": '  # of a report, by `running.Outcome.as_json`
RESTORED, FAILED, SKIPPED = "restored", "failed", "skipped"


@dataclasses.dataclass(frozen=True)
class Identity:
    """What the result of a file depends on, besides the file: options, weights, this program."""

    options: RestoreOptions
    weights: str

    def of(self, path: pathlib.Path) -> str:
        """A hash of these and the file's contents, as hexadecimal digits.

        Raises:
          OSError: the file cannot be read.
        """
        everything = {
            "options": self.options.as_json(),
            "weights": self.weights,
            "version": agarnet_jax.__version__,
            "contents": digest(path),
        }
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def digest(path: pathlib.Path) -> str:
    """SHA-256 of a file's contents, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Report:
    """A file of JSON lines that is written line by line, so that an interrupted run is in it."""

    def __init__(self, path: pathlib.Path, *, resume: bool):
        """
        Args:
          path: of the file, in an existing folder.
          resume: whether it is continued, and `finished` known; otherwise it begins anew.

        Raises:
          InputError: it cannot be read or written, is another file than a report, or that of a run
            that goes on.
        """
        self._path = path
        try:
            _check_is_report(path)
            self._file: TextIO = path.open("a", encoding="utf-8")
            if not file_lock.acquire(self._file):
                self._file.close()
                raise InputError(
                    f"The report {shown(path)} is written by another run; wait until it ends, or "
                    "give this one a report of its own with --report."
                )
            if not resume:
                self._file.truncate(0)
            lines = _lines(path)
            if _ends_within_a_line(path):
                self._file.write("\n")
        except OSError as error:
            raise InputError(
                f"The report {shown(path)} cannot be opened: {reason(error)}."
            ) from None
        self._finished = {
            line["source"]: line
            for line in lines
            if line.get("status") in (RESTORED, SKIPPED) and {"destination", "key"} <= line.keys()
        }

    def outputs(self) -> Mapping[str, str]:
        """Returns the outputs that earlier runs wrote, by input."""
        return {source: line["destination"] for source, line in self._finished.items()}

    def has(self, source: pathlib.Path, destination: pathlib.Path, *, key: str) -> bool:
        """Whether an earlier run made this of an input of the same key, and it is still there."""
        line = self._finished.get(os.path.abspath(source))
        if not line or line["key"] != key or line["destination"] != os.path.abspath(destination):
            return False
        try:
            return destination.stat().st_size == line.get("bytes")
        except OSError:
            return False

    def add(self, line: Mapping[str, Any]) -> None:
        """Appends a line with the time; it is in the file when this returns.

        Raises:
          InputError: it cannot be written.
        """
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        try:
            self._file.write(json.dumps({**line, "finished": now}) + "\n")
            self._file.flush()
        except OSError as error:
            raise InputError(
                f"The report {shown(self._path)} cannot be written: {reason(error)}."
            ) from None

    def __enter__(self) -> "Report":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # of a line that `add` has complained of
            self._file.close()


def _check_is_report(path: pathlib.Path) -> None:
    """A report is begun anew, and no other file may be lost by a mistake in its name."""
    if not path.exists():
        return
    if path.is_file():
        with open(path, "rb") as file:
            begin = file.read(len(_BEGIN))
        if begin in (b"", _BEGIN):
            return
    raise InputError(f"{shown(path)} is there and no report; give another name with --report.")


def _lines(path: pathlib.Path) -> list[dict[str, Any]]:
    """The lines that are whole; a run that was killed may have left a part of one."""
    found = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and isinstance(line.get("source"), str):
                found.append(line)
    return found


def _ends_within_a_line(path: pathlib.Path) -> bool:
    with open(path, "rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
