"""One evaluation from its settings to its report; what cannot be used is said and left out."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence

from agarnet_jax.color import LumaRange
from agarnet_jax.restoration.quality_choice import QualityChoice
from experiments.evaluating import baselines, checks, comparisons, models, report, suites, tables
from experiments.evaluating.cache import Cache
from experiments.evaluating.inputs import ImageSet, open_pictures
from experiments.evaluating.models import Model
from experiments.evaluating.records import INPUT, Results
from experiments.evaluating.report_parts import Plot, Report
from experiments.evaluating.running import EvaluationRun
from experiments.evaluating.settings import Settings
from experiments.evaluating.suites import Case, Variant

NAME = "AGARNet"  # what tables call the weights evaluated


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The report, and the results and plots it was made of."""

    report: Report
    results: Results
    plots: Mapping[str, Plot]


def evaluate(
    settings: Settings, *, show: Callable[[Report], object] = lambda report: None
) -> Evaluation:
    """Computes, and where `settings.out` says so, writes the report.

    Args:
      settings: what to evaluate.
      show: receives the report, without plots, before anything of it is drawn or written.

    Raises:
      ValueError, OSError, ModuleNotFoundError: the settings name nothing that can be evaluated, or
        an extra is missing.
    """
    if not (settings.suites or settings.images):
        raise ValueError("Give --images=FOLDER, or --suite=NAME and --data_dir=FOLDER.")
    if settings.out is not None:
        check_extra()
    networks, problems = open_networks(settings)
    sets, more = open_images(settings)
    problems += more
    cases = make_cases(settings, sets)
    if not cases:
        raise ValueError("\n".join([*problems, "There is nothing left to evaluate."]))
    only_case = len({(case.images, case.course) for case in cases}) == 1
    others = [baselines.open_baseline(text, only_case=only_case) for text in settings.baselines]
    folder = None if settings.out is None else pathlib.Path(settings.out)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    run = EvaluationRun(
        sets,
        networks=networks,
        baselines=others,
        treatment=settings.treatment,
        rounding=settings.rounding,
        cache=Cache(None if folder is None else folder / "cache"),
        limit=settings.images_per_set,
    )
    results, more = run.results(cases)
    problems += more
    problems += checks.jpeg_rows(cases, results, luma_range=settings.luma_range)
    problems += _harm(cases, results)
    whole = _report(settings, cases, run, results, problems)
    show(whole)
    if folder is None:
        return Evaluation(whole, results, {})
    return _written(folder, whole, cases, run, results)


def check_extra() -> None:
    """Raises ModuleNotFoundError, saying what to install, unless plots can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "A report has plots, which need Matplotlib: pip install 'agarnet-jax[evaluate]'; "
            "without --out there is only a table."
        ) from error


def open_networks(settings: Settings) -> tuple[list[Model], list[str]]:
    """Opens all weights, the evaluated first; returns a line for each unusable or partial one.

    Raises:
      ValueError: the first cannot be used, or two methods have one name.
    """
    pairs = [(NAME, settings.weights)]
    pairs += [baselines.parse(text, flag="other_weights") for text in settings.other_weights]
    taken = [f"{name}{variant.value}" for name, _ in pairs for variant in Variant] + [INPUT]
    taken += [baselines.parse(text, flag="baseline")[0] for text in settings.baselines]
    for name in taken:
        if taken.count(name) > 1:
            raise ValueError(f"{name!r} names two methods; choose another name for one of them.")
    networks, problems = [], []
    for name, place in pairs:
        try:
            network = models.load(name, place, cells=settings.cells)
        except ValueError as error:
            if name == NAME:
                raise
            problems.append(f"{name}: left out: {error}")
            continue
        if not network.estimates:
            problems.append(
                f"{name}: {network.source} has no estimator, so it is scored with the true "
                "quality only."
            )
        if not network.restores:
            problems.append(f"{name}: {network.source} has no restorer, so it only estimates.")
        networks.append(network)
    return networks, problems


def open_images(settings: Settings) -> tuple[dict[str, ImageSet], list[str]]:
    """Opens the sets of the suites and the user's own; returns a line for each left out.

    Raises:
      ValueError, OSError, ModuleNotFoundError: nothing in the user's own folder can be used.
    """
    sets: dict[str, ImageSet] = {}
    problems: list[str] = []
    if settings.suites:
        if not settings.data_dir:
            raise ValueError("--suite needs the folder of the test sets: give --data_dir=FOLDER.")
        sets, problems = suites.open_sets(
            settings.suites, pathlib.Path(settings.data_dir), luma_range=settings.luma_range
        )
    if settings.images:
        name = pathlib.Path(settings.images).name or settings.images
        if name in sets:
            name = f"{name} (own)"
        own = open_pictures(name, settings.images, luma_range=settings.luma_range)
        sets[name] = own
        problems += own.problems
    return sets, problems


def make_cases(settings: Settings, sets: Mapping[str, ImageSet]) -> list[Case]:
    """Lists the cases of suites whose sets are there, then the user's own."""
    clips = [name for name, images in sets.items() if isinstance(images, suites.Clip)]
    cases = [
        case
        for suite in settings.suites
        for case in suites.cases_of(suite, clips, among_all=settings.all_suites)
        if case.images in sets
    ]
    if settings.images:
        own = list(sets)[-1]
        cases += suites.jpeg_cases(suites.OWN, own, settings.qualities, suites.ALL)
    return cases


def _harm(cases: Sequence[Case], results: Results) -> list[str]:
    """Returns a line for each method that makes single JPEGs worse."""
    lines = []
    single = {(case.images, case.course): case for case in cases if case.x is not None}
    for name in results.methods(single.values()):
        worse = [
            f"{case.images} {case.column} ({gain:+.2f} dB)"
            for case in single.values()
            if (gain := results.gain(case, name)) is not None and round(gain, 2) < 0
        ]
        if worse:
            lines.append(f"{name} is below the JPEG: {', '.join(worse)}.")
    return lines


def _report(
    settings: Settings,
    cases: Sequence[Case],
    run: EvaluationRun,
    results: Results,
    problems: Sequence[str],
) -> Report:
    paper = settings.luma_range is LumaRange.STUDIO and settings.images_per_set is None
    shown = [
        table
        for suite in dict.fromkeys(case.suite for case in cases)
        for table in tables.of_suite(
            suite, [case for case in cases if case.suite == suite], results, paper=paper
        )
    ]
    return Report(
        title=f"Evaluation of {settings.weights}",
        facts=_facts(settings, run, paper),
        warnings=tuple(problems),
        tables=tuple(shown),
    )


def _facts(settings: Settings, run: EvaluationRun, paper: bool) -> dict[str, str]:
    facts = report.facts()
    for network in run.networks:
        facts[f"weights {network.name}"] = f"{network.source}, SHA-256 {network.sha256}"
    for baseline in run.baselines:
        facts[f"baseline {baseline.name}"] = f"images in {baseline.folder}"
    treatment = settings.treatment
    facts["luma"] = f"{settings.luma_range.value} range of BT.601; gray files as they are"
    facts["scores"] = (
        f"peak 255, no border cropped, restored levels by {settings.rounding.value}; float32; "
        "mean over images"
    )
    facts["estimator's cells"] = settings.cells.value
    facts["self-ensemble"] = "of 8" if treatment.ensemble else "no"
    choice = QualityChoice(settings.cells, read_steps=treatment.read_steps)
    facts["estimate from steps"] = "where near the network's" if choice.refines else "no"
    facts["consistency"] = "with single gray JPEGs" if treatment.consistent else "no"
    facts["images"] = "; ".join(f"{name}: {len(images)}" for name, images in run.sets.items())
    if settings.images_per_set is not None:
        facts["limit"] = f"the first {settings.images_per_set} images of each set"
    if not paper:
        facts["published rows"] = "left out: this is another protocol than theirs"
    return facts


def _written(
    folder: pathlib.Path,
    whole: Report,
    cases: Sequence[Case],
    run: EvaluationRun,
    results: Results,
) -> Evaluation:
    from experiments.evaluating import plots

    single = [case for case in cases if case.x is not None]
    paper = "published rows" not in whole.facts
    drawn = plots.draw(single, results, paper=paper)
    seen = [comparisons.compare(run, *chosen) for chosen in comparisons.choose(cases, results)]
    whole = dataclasses.replace(
        whole,
        plots=tuple(drawn.values()),
        comparisons=tuple(comparison for comparison in seen if comparison),
    )
    report.write(whole, results, drawn, folder)
    return Evaluation(whole, results, drawn)
