"""Where what can be had again is kept between runs: folders below the user's cache folder."""

import os
import pathlib


def cache_folder(variable: str, name: str) -> pathlib.Path | None:
    """Returns the folder that an environment variable names, or `name` in ours of the user's cache.

    It may not exist. None: the variable says "off", or the user has no home.
    """
    choice = os.environ.get(variable, "")
    if choice == "off":
        return None
    if choice:
        return pathlib.Path(choice)
    try:
        home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    except RuntimeError:
        return None
    return pathlib.Path(home) / "agarnet-jax" / name
