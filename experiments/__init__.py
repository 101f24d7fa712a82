"""Thin absl mains and their configurations; the only place that joins the two packages."""

import importlib.util

if importlib.util.find_spec("ml_collections") is None:  # which every program needs
    raise SystemExit(
        "The programs in experiments need the extra `train` (pip install 'agarnet-jax[train]')."
    )
