"""Command-line programs (absl) and their configurations, built on both other packages."""

import importlib.util
import sys

# Every program needs it; Beam workers, which import only parts of this package, do not.
# sys.argv[0] is "-m" while `python -m` looks for the program.
if sys.argv[:1] == ["-m"] and importlib.util.find_spec("ml_collections") is None:
    raise SystemExit(
        "The programs in experiments need the extra `train` (pip install 'agarnet-jax[train]')."
    )
