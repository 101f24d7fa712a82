"""Files that are written whole or not at all."""

import contextlib
import os
import pathlib
import secrets


def write(path: str | os.PathLike, contents: bytes) -> None:
    """Writes a file under a second name first, NAME.….part; an earlier file is replaced.

    Raises:
      OSError: it cannot be written; names `path`, and the second name is gone.
    """
    partial = pathlib.Path(f"{os.fspath(path)}.{secrets.token_hex(4)}.part")
    try:
        partial.write_bytes(contents)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
