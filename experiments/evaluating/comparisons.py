"""Images to look at: where restoration helped least, and for some suites middling and most."""

from collections.abc import Sequence

import numpy as np

from experiments.evaluating import scoring
from experiments.evaluating.records import INPUT, Results
from experiments.evaluating.report_parts import Comparison
from experiments.evaluating.running import EvaluationRun
from experiments.evaluating.suites import OWN, Case, Variant

# The column of the case that is shown of a suite; of other suites it is the first.
_COLUMNS = {"table2": "Q10", "gain": "Q1", "double": "(30, 50)", "video": "1M-60"}
_THREE = ("table2", OWN)  # suites that show three images, not only the least helped one


def choose(cases: Sequence[Case], results: Results) -> list[tuple[Case, int]]:
    """Chooses cases and numbers of images by their gain in PSNR."""
    chosen = []
    for suite in dict.fromkeys(case.suite for case in cases):
        of_suite = [case for case in cases if case.suite == suite and case.variants]
        wanted = [case for case in of_suite if case.column == _COLUMNS.get(suite)] or of_suite
        case = wanted[0] if wanted else None
        methods = [name for name in results.methods(wanted[:1]) if name != INPUT]
        restored = [method for method in methods if case and results.scores(case, method)]
        if case is None or not restored:
            continue
        before, after = (results.scores(case, name) for name in (INPUT, restored[-1]))
        gains = [scoring.gain(*pair) or 0 for pair in zip(after, before)]
        order = np.argsort(gains, kind="stable")
        places = (0, len(order) // 2, len(order) - 1) if suite in _THREE else (0,)
        numbers = dict.fromkeys(int(order[place]) for place in places)
        chosen += [(case, results.indices(case)[number]) for number in numbers]
    return chosen


def compare(run: EvaluationRun, case: Case, index: int) -> Comparison | None:
    """Collects what is shown of an image; None if no method restored it."""
    degraded, outputs = run.look(case, index)
    images = {INPUT: degraded.image}
    for name, output in outputs.items():
        if output.image is not None:
            images[name] = np.rint(255 * output.image).astype(np.uint8)
    if len(images) == 1:
        return None
    for baseline in run.baselines:
        image = baseline.try_image(case, run.sets[case.images].names[index], like=degraded.clean)
        if image is not None:
            images[baseline.name] = image
    # The method that a user has, blind, stands beside the input.
    blind = [name for name, output in outputs.items() if output.variant is not Variant.TRUE]
    first = [INPUT, *[name for name in blind if name in images][:1]]
    ordered = {name: images[name] for name in [*first, *images]}
    maps = [o.assumed for o in outputs.values() if o.variant is Variant.MAP]
    assumed = maps[0] if maps else next(iter(outputs.values())).assumed
    return Comparison(
        f"{case.images}, {run.sets[case.images].names[index]}",
        f"{case.suite}, {case.column}",
        {**ordered, "clean": degraded.clean},
        np.broadcast_to(np.asarray(assumed, np.float32), degraded.image.shape[:2]),
    )
