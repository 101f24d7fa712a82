"""Loads the weights that a benchmark restores with."""

from agarnet_jax import runtime
from agarnet_jax.restoration import Restorer
from experiments import program


def load_restorer(name_or_path: str) -> Restorer:
    """Prepares the process and loads a restorer.

    Unusable weights end the program with a one-line error.
    """
    runtime.prepare()
    with program.one_line_errors():
        return Restorer.from_pretrained(name_or_path)
