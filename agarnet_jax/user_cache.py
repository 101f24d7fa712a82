"""Folders below the user's cache folder, for data that can be fetched or computed again."""

import os
import pathlib


def cache_folder(variable: str, name: str) -> pathlib.Path | None:
    """Returns the folder named by an environment variable, or `CACHE/agarnet-jax/NAME`.

    The folder may not exist yet. None if the variable is "off" or the user has no home folder.
    """
    value = os.environ.get(variable, "")
    if value == "off":
        return None
    if value:
        return pathlib.Path(value)
    try:
        cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    except RuntimeError:
        return None
    return pathlib.Path(cache) / "agarnet-jax" / name
