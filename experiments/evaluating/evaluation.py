"""Runs an evaluation from its settings to its report; unusable inputs are reported and skipped."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence

from agarnet_jax.restoration.quality_choice import QualityChooser
from experiments.evaluating import baselines, checks, comparisons, models, report, suites, tables
from experiments.evaluating.cache import Cache
from experiments.evaluating.inputs import ImageSet, open_still_images
from experiments.evaluating.models import Model
from experiments.evaluating.records import INPUT, Results
from experiments.evaluating.report_parts import Comparison, Plot, Report
from experiments.evaluating.running import EvaluationRun
from experiments.evaluating.settings import Settings
from experiments.evaluating.suites import Case, Variant

NAME = "AGARNet"  # the name in tables of the weights being evaluated


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A report, and the results and plots it was made from."""

    report: Report
    results: Results
    plots: Mapping[str, Plot]


def evaluate(
    settings: Settings, *, show: Callable[[Report], object] = lambda report: None
) -> Evaluation:
    """Computes the report and writes it to `settings.out`, if set.

    Args:
      settings: what to evaluate.
      show: called with the report, still without plots and images, before it is written.

    Raises:
      ValueError, OSError, ModuleNotFoundError: the settings name nothing that can be evaluated, or
        an extra is missing.
    """
    if not (settings.suites or settings.images):
        raise ValueError("Set --images=FOLDER, or --suite=NAME and --data_dir=FOLDER.")
    if settings.out is not None:
        check_extra()
    networks, problems = open_networks(settings)
    sets, image_problems = open_images(settings)
    problems += image_problems
    cases = make_cases(settings, sets)
    if not cases:
        raise ValueError("\n".join([*problems, "There is nothing left to evaluate."]))
    only_case = len({(case.images, case.degradation) for case in cases}) == 1
    tools = [baselines.open_baseline(text, only_case=only_case) for text in settings.baselines]
    folder = None if settings.out is None else pathlib.Path(settings.out)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    run = EvaluationRun(
        sets,
        networks=networks,
        baselines=tools,
        restoration=settings.restoration,
        rounding=settings.rounding,
        cache=Cache(None if folder is None else folder / "cache"),
        limit=settings.images_per_set,
    )
    results, run_problems = run.results(cases)
    problems += run_problems
    problems += checks.check_jpeg_rows(cases, results, luma_range=settings.luma_range)
    problems += _negative_gains(cases, results)
    summary = _make_report(settings, cases, run, results, problems)
    show(summary)
    if folder is None:
        return Evaluation(summary, results, {})
    plots = _draw_plots(cases, results, settings)
    complete = dataclasses.replace(
        summary, plots=tuple(plots.values()), comparisons=_compare_images(cases, results, run)
    )
    report.write(complete, results, plots, folder)
    return Evaluation(complete, results, plots)


def check_extra() -> None:
    """Raises ModuleNotFoundError, naming the extra to install, if plots cannot be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "The plots of a report need Matplotlib: pip install 'agarnet-jax[evaluate]'; without "
            "--out, only tables are printed."
        ) from error


def open_networks(settings: Settings) -> tuple[list[Model], list[str]]:
    """Loads all weights, the evaluated ones first; returns a line per unusable or partial one.

    Raises:
      ValueError: the evaluated weights are unusable, or two methods have the same name.
    """
    pairs = [(NAME, settings.weights)]
    pairs += [
        baselines.parse_named_path(text, flag="other_weights") for text in settings.other_weights
    ]
    methods = [f"{name}{variant.value}" for name, _ in pairs for variant in Variant] + [INPUT]
    methods += [baselines.parse_named_path(text, flag="baseline")[0] for text in settings.baselines]
    for name in methods:
        if methods.count(name) > 1:
            raise ValueError(f"Two methods are named {name!r}; rename one of them.")
    networks, problems = [], []
    for name, path in pairs:
        try:
            network = models.load(name, path, cells=settings.cells)
        except ValueError as error:
            if name == NAME:
                raise
            problems.append(f"{name}: skipped: {error}")
            continue
        if not network.estimates:
            problems.append(
                f"{name}: {network.source} has no estimator, so it is scored with the true "
                "quality only."
            )
        if not network.restores:
            problems.append(
                f"{name}: {network.source} has no restorer; only its estimates are scored."
            )
        networks.append(network)
    return networks, problems


def open_images(settings: Settings) -> tuple[dict[str, ImageSet], list[str]]:
    """Opens the sets of the suites and the user's images; returns a line for each skipped one.

    Raises:
      ValueError, OSError, ModuleNotFoundError: the user's images are unusable.
    """
    sets: dict[str, ImageSet] = {}
    problems: list[str] = []
    if settings.suites:
        if not settings.data_dir:
            raise ValueError("--suite needs the test sets; set --data_dir=FOLDER.")
        sets, problems = suites.open_sets(
            settings.suites, pathlib.Path(settings.data_dir), luma_range=settings.luma_range
        )
    if settings.images:
        name = pathlib.Path(settings.images).name or settings.images
        if name in sets:
            name = f"{name} (own)"
        own = open_still_images(name, settings.images, luma_range=settings.luma_range)
        sets[name] = own
        problems += own.problems
    return sets, problems


def make_cases(settings: Settings, sets: Mapping[str, ImageSet]) -> list[Case]:
    """Lists the cases of the suites whose sets are available, then those of the user's images."""
    clips = [name for name, images in sets.items() if isinstance(images, suites.Clip)]
    cases = [
        case
        for suite in settings.suites
        for case in suites.cases_of(suite, clips, in_all=settings.all_suites)
        if case.images in sets
    ]
    if settings.images:
        own = list(sets)[-1]
        cases += suites.jpeg_cases(suites.OWN, own, settings.qualities, suites.ALL_VARIANTS)
    return cases


def _negative_gains(cases: Sequence[Case], results: Results) -> list[str]:
    """Returns a line for each method that lowers the PSNR of single JPEGs."""
    lines = []
    single = {(case.images, case.degradation): case for case in cases if case.x is not None}
    for name in results.methods(single.values()):
        worse = [
            f"{case.images} {case.column} ({gain:+.2f} dB)"
            for case in single.values()
            if (gain := results.gain(case, name)) is not None and round(gain, 2) < 0
        ]
        if worse:
            lines.append(f"{name} lowers PSNR: {', '.join(worse)}.")
    return lines


def _make_report(
    settings: Settings,
    cases: Sequence[Case],
    run: EvaluationRun,
    results: Results,
    problems: Sequence[str],
) -> Report:
    shown = [
        table
        for suite in dict.fromkeys(case.suite for case in cases)
        for table in tables.make_tables(
            suite,
            [case for case in cases if case.suite == suite],
            results,
            paper=settings.papers_protocol,
        )
    ]
    return Report(
        title=f"Evaluation of {settings.weights}",
        facts=_facts(settings, run),
        warnings=tuple(problems),
        tables=tuple(shown),
    )


def _facts(settings: Settings, run: EvaluationRun) -> dict[str, str]:
    facts = report.facts()
    for network in run.networks:
        facts[f"weights {network.name}"] = f"{network.source}, SHA-256 {network.sha256}"
    for baseline in run.baselines:
        facts[f"baseline {baseline.name}"] = f"images in {baseline.folder}"
    restoration = settings.restoration
    facts["quality given to the network"] = (
        "the true one; -EST: one estimate per image (blind); -ESP: a pixel-wise estimate (blind)"
    )
    facts["luma"] = f"BT.601, {settings.luma_range.value} range; gray files unchanged"
    facts["scores"] = (
        f"peak 255, no border cropping, restored levels: {settings.rounding.value}; float32; "
        "mean over images"
    )
    facts["estimator's cells"] = settings.cells.value
    facts["self-ensemble"] = "8 flips and rotations" if restoration.ensemble else "no"
    chooser = QualityChooser(settings.cells, use_traces=restoration.use_traces)
    facts["estimate from traces"] = (
        "if close to the network's estimate" if chooser.uses_traces else "no"
    )
    facts["consistency"] = "single gray JPEGs" if restoration.consistent else "no"
    facts["images"] = "; ".join(f"{name}: {len(images)}" for name, images in run.sets.items())
    if settings.images_per_set is not None:
        facts["limit"] = f"the first {settings.images_per_set} images of each set"
    if not settings.papers_protocol:
        facts["published rows"] = "omitted: the protocol differs from the papers'"
    return facts


def _draw_plots(cases: Sequence[Case], results: Results, settings: Settings) -> dict[str, Plot]:
    from experiments.evaluating import plots

    single = [case for case in cases if case.x is not None]
    return plots.draw(single, results, paper=settings.papers_protocol)


def _compare_images(
    cases: Sequence[Case], results: Results, run: EvaluationRun
) -> tuple[Comparison, ...]:
    compared = (comparisons.compare(run, *chosen) for chosen in comparisons.choose(cases, results))
    return tuple(comparison for comparison in compared if comparison is not None)
