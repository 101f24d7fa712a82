"""One line that says how far a run is, kept apart from the lines printed meanwhile."""

import contextlib
import os
import sys
import time
from typing import TextIO

_CLEAR = "\r\x1b[K"
_USUAL_WIDTH = 80  # where a terminal does not know its own


class StatusLine:
    """A line of a terminal that is drawn over and over. Silent elsewhere.

    tqdm, which `train` uses, is not needed for one line, so the base install does without it.
    """

    def __init__(self, stream: TextIO | None = None):
        """stream: None: standard error."""
        self._stream = sys.stderr if stream is None else stream
        self._shows = self._stream.isatty()

    def draw(self, text: str) -> None:
        """Shows a text in place of what the line said, cut to the terminal's width."""
        if self._shows:
            with contextlib.suppress(OSError):  # a terminal that is gone
                print(f"{_CLEAR}{text[: self._width()]}", end="", file=self._stream, flush=True)

    def _width(self) -> int:
        """Returns how many letters do not wrap."""
        try:
            return (os.get_terminal_size(self._stream.fileno()).columns or _USUAL_WIDTH) - 1
        except OSError:
            return _USUAL_WIDTH - 1

    def clear(self) -> None:
        """Removes the line, for others to be printed in its place."""
        self.draw("")


class Progress:
    """Counts files, and estimates by their bytes what time is left, on a line of a terminal."""

    def __init__(self, *, files: int, size: int, stream: TextIO | None = None):
        """files, size: of the whole run, size in bytes. stream: None: standard error."""
        self._line = StatusLine(stream)
        self._files, self._size = files, size
        self._done, self._failed = 0, 0
        self._worked, self._passed = 0, 0  # bytes
        self._begun = time.monotonic()
        self._line.draw(self.text())

    def add(self, size: int, *, failed: bool, skipped: bool) -> None:
        """A file of `size` bytes is done."""
        self._done += 1
        self._failed += failed
        if skipped:
            self._passed += size
        else:
            self._worked += size
        self._line.draw(self.text())

    def say(self, text: str, *, file: TextIO | None = None) -> None:
        """Prints a line, to standard output or another file."""
        self._line.clear()
        print(text, file=sys.stdout if file is None else file, flush=True)
        self._line.draw(self.text())

    def close(self) -> None:
        """Removes the line."""
        self._line.clear()

    def text(self) -> str:
        """What the line says."""
        parts = [f"{self._done} of {self._files} files"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self._worked and self._done < self._files:
            elapsed = time.monotonic() - self._begun
            left = self._size - self._worked - self._passed
            parts.append(f"about {in_words(elapsed * left / self._worked)} left")
        return ", ".join(parts)


def in_words(seconds: float) -> str:
    """A duration to read: '12 s', '5 min', '3 h 20 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
