"""What to tell users of files that cannot be used."""

import os


class InputError(Exception):
    """What the user gave cannot be used; the message says what, why and what would, in a line."""


def printable(path: str | os.PathLike[str]) -> str:
    """A path for a message: whatever its name has in it, terminals show it on one line."""
    name = os.fspath(path).encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in name
    )


def shown(path: str | os.PathLike[str]) -> str:
    """The same in quotes."""
    return repr(printable(path)).replace("\\\\", "\\")


def unexpected(path: str | os.PathLike[str], error: BaseException) -> str:
    """What to say of a file at which a decoder or our own code made a mistake."""
    return f"{shown(path)}: {type(error).__name__}: {reason(error)}"


def reason(error: BaseException) -> str:
    """What went wrong, in one line without the path that the message names anyway."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
