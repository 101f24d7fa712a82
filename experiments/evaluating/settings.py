"""Flags that are lists with a grammar of their own."""

import itertools
from collections.abc import Sequence

from agarnet_jax.configs import nearest
from agarnet_jax.jpeg_tables import MAX_QUALITY, MIN_QUALITY
from experiments.evaluating.suites import SUITES

ALL = "all"


def parse_qualities(texts: Sequence[str]) -> tuple[int, ...]:
    """Qualities, each N or FIRST:LAST:STEP (both ends included), as ascending numbers.

    Raises:
      ValueError: anything else, or out of 1–100.
    """
    found: set[int] = set()
    for text in texts:
        try:
            first, *more = map(int, text.split(":"))
            last, step = more if more else (first, 1)
            values = range(first, last + 1, step)
        except ValueError:
            values = range(0)
        if not values or not MIN_QUALITY <= values[0] <= values[-1] <= MAX_QUALITY:
            raise ValueError(
                f"--qualities has {text!r}; expected integers of {MIN_QUALITY}–{MAX_QUALITY} such "
                "as 10,20,40, or a range such as 10:95:5."
            )
        found.update(values)
    return tuple(sorted(found))


def parse_suites(texts: Sequence[str]) -> tuple[str, ...]:
    """Names of suites, "all" for each of them, in the order of `SUITES`.

    Raises:
      ValueError: there is no such suite.
    """
    for text in texts:
        if text not in (*SUITES, ALL):
            raise ValueError(f"There is no suite {text!r}; {nearest(text, (*SUITES, ALL))}.")
    chosen = set(itertools.chain.from_iterable(SUITES if t == ALL else (t,) for t in texts))
    return tuple(suite for suite in SUITES if suite in chosen)
