"""Is the JPEG itself what it is known to be? Without that, no row beside the papers' means much."""

from collections.abc import Sequence

from agarnet_jax.color import LumaRange
from experiments.evaluating.published import LIVE1_RGB, SET_SIZES, known_rows
from experiments.evaluating.records import INPUT, Results
from experiments.evaluating.suites import Case


def jpeg_rows(cases: Sequence[Case], results: Results, *, luma_range: LumaRange) -> list[str]:
    """Returns a line for each known value that is missed, and each set of another size than known.

    Only cases with all of a set's images are checked.
    """
    whole = {(case.images, case.course): case for case in cases if results.is_whole(case)}
    lines = []
    for name in dict.fromkeys(name for name, _ in whole if name in SET_SIZES):
        found = next(results.size(case) for (images, _), case in whole.items() if images == name)
        if found != SET_SIZES[name]:
            lines.append(
                f"{name} has {found} images here and {SET_SIZES[name]} in the papers, whose rows "
                "do not compare."
            )
    for row in known_rows():
        case = whole.get((row.images, row.degradation))
        if case is None or (row.images != LIVE1_RGB and row.luma_range is not luma_range):
            continue
        measured = results.mean(case, INPUT, row.metric)
        if measured is None or not row.is_met(measured):
            shown = "missing" if measured is None else f"{measured:.{row.decimals + 1}f}"
            lines.append(
                f"JPEG ROW OFF: {row.images} {row.label} {row.metric} is {shown}, known to be "
                f"{row.value}: images, encoder or protocol are not the papers', whose rows do not "
                "compare."
            )
    return lines
