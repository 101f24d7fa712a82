"""Checks the scores of the JPEG itself against reference values.

If they differ, our rows are not comparable with the papers'.
"""

from collections.abc import Sequence

from agarnet_jax.color import LumaRange
from experiments.evaluating.published import LIVE1_RGB, SET_SIZES, reference_rows
from experiments.evaluating.records import INPUT, Results
from experiments.evaluating.suites import Case


def check_jpeg_rows(cases: Sequence[Case], results: Results, *, luma_range: LumaRange) -> list[str]:
    """Returns a line for each unmatched reference value and each set of an unexpected size.

    Only cases that use all images of a set are checked.
    """
    complete = {(c.images, c.degradation): c for c in cases if results.is_complete(c)}
    lines = []
    sizes = {name: results.size(case) for (name, _), case in complete.items() if name in SET_SIZES}
    for name, size in sizes.items():
        if size != SET_SIZES[name]:
            lines.append(
                f"{name} has {size} images here but {SET_SIZES[name]} in the papers, so their rows "
                "are not comparable."
            )
    for row in reference_rows():
        case = complete.get((row.images, row.degradation))
        if case is None or (row.images != LIVE1_RGB and row.luma_range is not luma_range):
            continue
        measured = results.mean(case, INPUT, row.metric)
        if measured is None or not row.matches(measured):
            shown = "missing" if measured is None else f"{measured:.{row.decimals + 1}f}"
            lines.append(
                f"JPEG ROW MISMATCH: {row.images} {row.label} {row.metric} is {shown}, expected "
                f"{row.value}: the images, encoder or protocol differ from the papers', so their "
                "rows are not comparable."
            )
    return lines
