"""Optional dependencies of the exports, imported on demand."""

import importlib
from typing import Any


def load(module: str, *, extra: str) -> Any:
    """Imports an optional dependency.

    Args:
      module: its name.
      extra: the extra of this package that installs it.

    Raises:
      ValueError: it cannot be imported; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"This format needs {module!r}, which cannot be imported ({error}); "
            f"run pip install 'agarnet-jax[{extra}]'."
        ) from error
