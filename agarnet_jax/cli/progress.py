"""A status line on the terminal, which does not interfere with other printed lines."""

import contextlib
import os
import sys
import time
from typing import TextIO

_CLEAR = "\r\x1b[K"
_DEFAULT_WIDTH = 80  # if the terminal does not report its width


class StatusLine:
    """A line that is redrawn in place on a terminal; elsewhere, nothing is printed.

    The base install has no tqdm, which only `train` needs.
    """

    def __init__(self, stream: TextIO | None = None):
        """stream: None: standard error."""
        self._stream = sys.stderr if stream is None else stream
        self._enabled = self._stream.isatty()

    def draw(self, text: str) -> None:
        """Replaces the text of the line; the new one is truncated to the terminal's width."""
        if self._enabled:
            with contextlib.suppress(OSError):  # the terminal is gone
                print(f"{_CLEAR}{text[: self._width()]}", end="", file=self._stream, flush=True)

    def _width(self) -> int:
        """Returns how many characters fit without wrapping."""
        try:
            return (os.get_terminal_size(self._stream.fileno()).columns or _DEFAULT_WIDTH) - 1
        except OSError:
            return _DEFAULT_WIDTH - 1

    def clear(self) -> None:
        """Removes the line, so that others can be printed."""
        self.draw("")


class Progress:
    """Shows on a status line how many files are done, and the remaining time by bytes."""

    def __init__(self, *, files: int, size: int, stream: TextIO | None = None):
        """files, size: number of files and their total bytes. stream: None: standard error."""
        self._line = StatusLine(stream)
        self._files, self._size = files, size
        self._done, self._failed = 0, 0
        self._processed, self._skipped = 0, 0  # bytes
        self._started = time.monotonic()
        self._line.draw(self.text())

    def add(self, size: int, *, failed: bool, skipped: bool) -> None:
        """Counts a file of `size` bytes as done."""
        self._done += 1
        self._failed += failed
        if skipped:
            self._skipped += size
        else:
            self._processed += size
        self._line.draw(self.text())

    def say(self, text: str, *, file: TextIO | None = None) -> None:
        """Prints a line above the status line, to standard output or another file."""
        self._line.clear()
        print(text, file=sys.stdout if file is None else file, flush=True)
        self._line.draw(self.text())

    def close(self) -> None:
        """Removes the line."""
        self._line.clear()

    def text(self) -> str:
        """The text of the status line."""
        parts = [f"{self._done} of {self._files} files"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self._processed and self._done < self._files:
            elapsed = time.monotonic() - self._started
            left = self._size - self._processed - self._skipped
            parts.append(f"about {format_duration(elapsed * left / self._processed)} left")
        return ", ".join(parts)


def format_duration(seconds: float) -> str:
    """Formats a duration: '12 s', '5 min', '3 h 20 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
