"""Dumps the stacks of all threads when training stalls."""

import contextlib
import faulthandler
import sys
import threading
import time
from typing import TextIO


class Watchdog:
    """A thread that dumps all stacks to `file` if `beat` is not called for `seconds`.

    It reports each stall once and lets the program go on. Watching starts with the first beat,
    since compilation may take any time, and is disabled if `seconds` is 0. `file` must have a file
    descriptor.
    """

    def __init__(self, seconds: float, *, file: TextIO = sys.stderr):
        self._seconds, self._file = seconds, file
        self._last_beat: float | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="watchdog")
        if seconds:
            self._thread.start()

    def beat(self) -> None:
        """Reports progress."""
        self._last_beat = time.monotonic()

    def _watch(self) -> None:
        reported = None
        while not self._closed.wait(min(self._seconds / 4, 10)):
            last = self._last_beat
            if last is None or last == reported or time.monotonic() - last < self._seconds:
                continue
            reported = last
            print(
                f"No step has finished for {self._seconds:g} s (train.stall_seconds); "
                "stacks of all threads:",
                file=self._file,
                flush=True,
            )
            with contextlib.suppress(ValueError, OSError):  # closed, or without file descriptor
                faulthandler.dump_traceback(self._file, all_threads=True)

    def close(self) -> None:
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()
