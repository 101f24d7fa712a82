"""One line that says how far a run is, kept apart from the lines printed meanwhile."""

import sys
import time
from typing import TextIO

_CLEAR = "\r\x1b[K"


class Progress:
    """Counts files, and estimates by their bytes what time is left. Silent outside terminals.

    tqdm, which `train` uses, is not needed for one line, so the base install does without it.
    """

    def __init__(self, *, files: int, size: int, stream: TextIO | None = None):
        """files, size: of the whole run, size in bytes. stream: None: standard error."""
        self._stream = sys.stderr if stream is None else stream
        self._shows = files > 1 and self._stream.isatty()
        self._files, self._size = files, size
        self._done, self._failed = 0, 0
        self._worked, self._passed = 0, 0  # bytes
        self._begun = time.monotonic()

    def add(self, size: int, *, failed: bool, skipped: bool) -> None:
        """A file of `size` bytes is done."""
        self._done += 1
        self._failed += failed
        if skipped:
            self._passed += size
        else:
            self._worked += size
        self._draw()

    def say(self, text: str, *, file: TextIO | None = None) -> None:
        """Prints a line, to standard output or another file."""
        if self._shows:
            print(_CLEAR, end="", file=self._stream, flush=True)
        print(text, file=sys.stdout if file is None else file, flush=True)
        self._draw()

    def close(self) -> None:
        """Removes the line."""
        if self._shows:
            print(_CLEAR, end="", file=self._stream, flush=True)
            self._shows = False

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

    def _draw(self) -> None:
        if self._shows:
            print(f"{_CLEAR}{self.text()}", end="", file=self._stream, flush=True)


def in_words(seconds: float) -> str:
    """A duration to read: '12 s', '5 min', '3 h 20 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
