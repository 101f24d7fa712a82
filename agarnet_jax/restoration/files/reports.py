"""The report of a run: a line of JSON per file, from which a later run can resume."""

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
from agarnet_jax.restoration.files.errors import InputError, quoted, reason
from agarnet_jax.restoration.files.options import RestoreOptions

_PREFIX = b'{"source": '  # of every line, by `running.Outcome.as_json`
RESTORED, FAILED, SKIPPED = "restored", "failed", "skipped"


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a result depends on besides the input file: options, weights and program version."""

    options: RestoreOptions
    weights: str

    def of(self, path: pathlib.Path) -> str:
        """Returns a hash of these and of the file's contents, in hexadecimal.

        Raises:
          OSError: the file cannot be read.
        """
        inputs = {
            "options": self.options.as_json(),
            "weights": self.weights,
            "version": agarnet_jax.__version__,
            "contents": digest(path),
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def digest(path: pathlib.Path) -> str:
    """Returns the SHA-256 of a file's contents, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Report:
    """A JSON Lines file, flushed after every line so that an interrupted run is recorded."""

    def __init__(self, path: pathlib.Path, *, resume: bool):
        """
        Args:
          path: of the report, in an existing folder.
          resume: whether to continue an existing report; otherwise it is overwritten.

        Raises:
          InputError: the file cannot be read or written, is not a report, or is in use by another
            run.
        """
        self._path = path
        try:
            _check_is_report(path)
            self._file: TextIO = path.open("a", encoding="utf-8")
            if not file_lock.acquire(self._file):
                self._file.close()
                raise InputError(
                    f"Report {quoted(path)} is in use by another run; wait until it ends, or use "
                    "--report with another file."
                )
            if not resume:
                self._file.truncate(0)
            lines = _lines(path)
            if _ends_mid_line(path):
                self._file.write("\n")
        except OSError as error:
            raise InputError(f"Report {quoted(path)} cannot be opened: {reason(error)}.") from None
        self._finished = {
            line["source"]: line
            for line in lines
            if line.get("status") in (RESTORED, SKIPPED) and {"destination", "key"} <= line.keys()
        }

    def outputs(self) -> Mapping[str, str]:
        """Returns the outputs of earlier runs, by input; absolute paths."""
        return {source: line["destination"] for source, line in self._finished.items()}

    def has(self, source: pathlib.Path, destination: pathlib.Path, *, key: str) -> bool:
        """Returns whether an earlier run wrote this output for this key, and it still exists."""
        line = self._finished.get(os.path.abspath(source))
        if not line or line["key"] != key or line["destination"] != os.path.abspath(destination):
            return False
        try:
            return destination.stat().st_size == line.get("bytes")
        except OSError:
            return False

    def add(self, line: Mapping[str, Any]) -> None:
        """Appends a line with the current time, and flushes it.

        Raises:
          InputError: the line cannot be written.
        """
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        try:
            self._file.write(json.dumps({**line, "finished": now}) + "\n")
            self._file.flush()
        except OSError as error:
            raise InputError(
                f"Report {quoted(self._path)} cannot be written: {reason(error)}."
            ) from None

    def __enter__(self) -> "Report":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # `add` has already reported it
            self._file.close()


def _check_is_report(path: pathlib.Path) -> None:
    """Raises InputError for any other file, which a mistyped path would otherwise overwrite."""
    if not path.exists():
        return
    if path.is_file():
        with open(path, "rb") as file:
            start = file.read(len(_PREFIX))
        if start in (b"", _PREFIX):
            return
    raise InputError(f"{quoted(path)} exists and is not a report; use --report with another file.")


def _lines(path: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the complete lines; a killed run may have left a partial one."""
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


def _ends_mid_line(path: pathlib.Path) -> bool:
    with open(path, "rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
