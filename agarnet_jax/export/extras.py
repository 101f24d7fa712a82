"""Packages that only an export needs, loaded when it is asked for."""

import importlib
from typing import Any


def load(module: str, *, extra: str) -> Any:
    """The module by name.

    Raises:
      ValueError: it is not installed; says how to.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"This format needs {module!r}, which cannot be imported ({error}); "
            f"run pip install 'agarnet-jax[{extra}]'."
        ) from error
