"""Standard output and error that were closed, or cannot show what a program prints."""

import io
import os
import sys


def prepare() -> None:
    """Lets the streams take whatever a program prints.

    One that whoever started the program had closed discards it; characters that an encoding lacks,
    as of names, which may hold any bytes, are escaped.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_broken() -> None:
    """Discards what a stream can no longer take; Python would fail once more on it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
