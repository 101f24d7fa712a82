"""Settings of an evaluation, and parsers of its list flags."""

import dataclasses
import itertools
from collections.abc import Sequence

from agarnet_jax.color import LumaRange
from agarnet_jax.configs import nearest
from agarnet_jax.jpeg_tables import MAX_QUALITY, MIN_QUALITY
from agarnet_jax.metrics import Rounding
from agarnet_jax.models import CellPlacement
from experiments.evaluating.models import RestorationOptions
from experiments.evaluating.suites import SUITES

ALL = "all"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to evaluate: `suites`, which need `data_dir`, and `images` of any folder at `qualities`.

    all_suites: whether "all" was requested, for which some suites use fewer images.
    other_weights, baselines: NAME=PATH. out: folder of the report and the score cache; with None,
    nothing is cached or written.
    """

    weights: str
    suites: tuple[str, ...] = ()
    all_suites: bool = False
    data_dir: str | None = None
    images: str | None = None
    qualities: tuple[int, ...] = ()
    other_weights: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    out: str | None = None
    luma_range: LumaRange = LumaRange.STUDIO
    rounding: Rounding = Rounding.ROUND
    cells: CellPlacement = CellPlacement.PLACED
    restoration: RestorationOptions = RestorationOptions()
    images_per_set: int | None = None

    @property
    def papers_protocol(self) -> bool:
        """Whether the papers' rows are comparable: studio-range luma, all images of each set."""
        return self.luma_range is LumaRange.STUDIO and self.images_per_set is None


def parse_qualities(texts: Sequence[str]) -> tuple[int, ...]:
    """Parses qualities, each N or FIRST:LAST:STEP (both ends included), into ascending numbers.

    Raises:
      ValueError: a text is of neither form, or a quality is outside 1–100.
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
                f"--qualities has {text!r}; expected integers in {MIN_QUALITY}–{MAX_QUALITY} such "
                "as 10,20,40, or a range such as 10:95:5."
            )
        found.update(values)
    return tuple(sorted(found))


def parse_suites(texts: Sequence[str]) -> tuple[str, ...]:
    """Parses suite names, or "all", into names in the order of `SUITES`.

    Raises:
      ValueError: a suite does not exist.
    """
    for text in texts:
        if text not in (*SUITES, ALL):
            raise ValueError(f"There is no suite {text!r}; {nearest(text, (*SUITES, ALL))}.")
    chosen = set(itertools.chain.from_iterable(SUITES if t == ALL else (t,) for t in texts))
    return tuple(suite for suite in SUITES if suite in chosen)
