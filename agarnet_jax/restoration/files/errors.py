"""Errors shown to users, and how they show paths and causes on one line."""

import os


class InputError(Exception):
    """Raised when something the user gave cannot be used.

    The one-line message says what, why, and how to fix it.
    """


def printable(path: str | os.PathLike[str]) -> str:
    """Returns a path for a message: undecodable and unprintable characters are escaped."""
    name = os.fspath(path).encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in name
    )


def quoted(path: str | os.PathLike[str]) -> str:
    """Returns the `printable` path in quotes."""
    return repr(printable(path)).replace("\\\\", "\\")


def unexpected(path: str | os.PathLike[str], error: BaseException) -> str:
    """Returns the message for a file on which a decoder or our own code raised unexpectedly."""
    return f"{quoted(path)}: {type(error).__name__}: {reason(error)}"


def reason(error: BaseException) -> str:
    """Returns the cause of an error on one line, without the path, which the message names."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
