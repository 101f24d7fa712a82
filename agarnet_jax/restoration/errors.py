"""What to tell users of files that cannot be used."""

import os


class InputError(Exception):
    """What the user gave cannot be used; the message says what, why and what would, in a line."""


def printable(path: str | os.PathLike[str]) -> str:
    """A path for a message: whatever bytes its name has, terminals can show it."""
    return os.fspath(path).encode(errors="surrogateescape").decode(errors="backslashreplace")


def shown(path: str | os.PathLike[str]) -> str:
    """The same in quotes, with control characters escaped."""
    return repr(printable(path)).replace("\\\\x", "\\x")


def reason(error: BaseException) -> str:
    """What went wrong, in one line without the path that the message names anyway."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
