"""Standard output and error that were closed before a program began, or while it runs."""

import os
import sys


def open_missing() -> None:
    """Discards what is printed to a stream that whoever started the program had closed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115


def discard_broken() -> None:
    """Discards what a stream can no longer take; Python would fail once more on it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
