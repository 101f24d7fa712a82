"""Makes standard output and error robust: closed streams, unencodable characters, broken pipes."""

import io
import os
import sys


def prepare() -> None:
    """Prepares the streams so that printing never fails because of their state or encoding.

    A stream that was closed before the program started discards its output. Characters that the
    encoding lacks, for instance in file names, which may hold any bytes, are escaped.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_broken() -> None:
    """Discards buffered output of broken streams, which Python would fail to flush at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
