"""Thin absl mains and their configurations; the only place that joins the two packages."""

import importlib.util
import sys

# Every program needs it. Workers of Beam, which only import a part of this, do not: `-m` stands
# there while `python -m` looks for the program.
if sys.argv[:1] == ["-m"] and importlib.util.find_spec("ml_collections") is None:
    raise SystemExit(
        "The programs in experiments need the extra `train` (pip install 'agarnet-jax[train]')."
    )
