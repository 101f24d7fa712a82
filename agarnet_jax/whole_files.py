"""Files that are written whole or not at all."""

import os
import pathlib


def write(path: str | os.PathLike, contents: bytes) -> None:
    """Writes a file under a second name first, NAME.part; an earlier one is replaced."""
    partial = pathlib.Path(f"{os.fspath(path)}.part")
    partial.write_bytes(contents)
    partial.replace(path)
