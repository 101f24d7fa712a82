"""Chooses the images that the report shows: those with the smallest PSNR gain of each suite.

Some suites also show the images of median and largest gain.
"""

import contextlib
from collections.abc import Sequence

import numpy as np

from experiments.evaluating import scoring
from experiments.evaluating.baselines import BaselineError
from experiments.evaluating.records import INPUT, Results
from experiments.evaluating.report_parts import Comparison
from experiments.evaluating.running import EvaluationRun
from experiments.evaluating.suites import OWN, Case, Variant

# The case of each suite that is shown, by its column; the first case for other suites.
_SHOWN_COLUMNS = {"table2": "Q10", "gain": "Q1", "double": "(30, 50)", "video": "1M-60"}
_SUITES_WITH_THREE = ("table2", OWN)  # show the smallest, median and largest gain


def choose(cases: Sequence[Case], results: Results) -> list[tuple[Case, int]]:
    """Chooses cases, and image indices within their sets, by PSNR gain."""
    chosen = []
    for suite in dict.fromkeys(case.suite for case in cases):
        of_suite = [case for case in cases if case.suite == suite and case.variants]
        if not of_suite:
            continue
        column = _SHOWN_COLUMNS.get(suite)
        case = next((case for case in of_suite if case.column == column), of_suite[0])
        methods = [m for m in results.methods([case]) if m != INPUT and results.scores(case, m)]
        if not methods:
            continue
        before, after = (results.scores(case, method) for method in (INPUT, methods[-1]))
        gains = [scoring.gain(*pair) or 0 for pair in zip(after, before)]
        order = np.argsort(gains, kind="stable")
        ranks = (0, len(order) // 2, len(order) - 1) if suite in _SUITES_WITH_THREE else (0,)
        positions = dict.fromkeys(int(order[rank]) for rank in ranks)
        chosen += [(case, results.indices(case)[position]) for position in positions]
    return chosen


def compare(run: EvaluationRun, case: Case, index: int) -> Comparison | None:
    """Returns the degraded, restored and clean versions of an image; None if none is restored."""
    name = run.sets[case.images].names[index]
    degraded, outputs = run.restore_image(case, index)
    images = {INPUT: degraded.image}
    for method, output in outputs.items():
        if output.image is not None:
            images[method] = np.rint(255 * output.image).astype(np.uint8)
    if len(images) == 1:
        return None
    for baseline in run.baselines:
        with contextlib.suppress(BaselineError):
            images[baseline.name] = baseline.image(case, name, like=degraded.clean)
    # The input is first compared with a blind method, as users have no true quality.
    blind = [method for method, output in outputs.items() if output.variant is not Variant.TRUE]
    first = [INPUT, *[method for method in blind if method in images][:1]]
    ordered = {method: images[method] for method in [*first, *images]}
    maps = [output.quality for output in outputs.values() if output.variant is Variant.MAP]
    quality = maps[0] if maps else next(iter(outputs.values())).quality
    return Comparison(
        f"{case.images}, {name}",
        f"{case.suite}, {case.column}",
        {**ordered, "clean": degraded.clean},
        np.broadcast_to(np.asarray(quality, np.float32), degraded.image.shape[:2]),
    )
