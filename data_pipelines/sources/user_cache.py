"""Where what can be had again is kept between runs."""

import os
import pathlib


def cache_folder(variable: str, name: str) -> pathlib.Path:
    """The folder that an environment variable names, or `name` in ours of the user's cache."""
    if choice := os.environ.get(variable, ""):
        return pathlib.Path(choice)
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "agarnet-jax" / name
