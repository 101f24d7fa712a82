"""Files that are written whole or not at all."""

import os
import pathlib


def write(path: str | os.PathLike, contents: bytes) -> None:
    """Writes a file under a second name first, NAME.part; an earlier one is replaced.

    Raises:
      OSError: it cannot be written; names `path`, and the second name is gone.
    """
    partial = pathlib.Path(f"{os.fspath(path)}.part")
    try:
        partial.write_bytes(contents)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
