"""Plots of results, drawn by Matplotlib without a display."""

import dataclasses
import io
from collections.abc import Sequence

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from experiments.evaluating import published, scoring
from experiments.evaluating.records import INPUT, Results
from experiments.evaluating.report_parts import Plot
from experiments.evaluating.suites import Case

_SIZE = (8, 4.5)


def draw(cases: Sequence[Case], results: Results, *, paper: bool) -> dict[str, Plot]:
    """Draws gain and estimate by quality, and error by frequency; keyed by file name.

    Each set has its own plots, and again of other kinds of JPEG than the usual one.

    `cases`: single JPEGs, their quality as `x`. `paper`: whether the paper's values compare.
    """
    matplotlib.use("Agg")
    of_kind: dict[str, dict[int, Case]] = {}
    for case in cases:
        of_kind.setdefault(_kind(case), {})[case.x or 0] = case
    plots: dict[str, Plot] = {}
    for kind, by_quality in of_kind.items():
        ordered = [by_quality[x] for x in sorted(by_quality)]
        theirs = paper and kind == published.LIVE1
        drawn = {
            "gain": _gain(kind, ordered, results, theirs),
            "estimate": _estimate(kind, ordered, results, theirs),
            "frequency": _frequency(kind, ordered, results),
        }
        name = kind.translate({ord(" "): "_", ord(","): None, ord(":"): None})
        plots |= {f"{what}_{name}.png": plot for what, plot in drawn.items() if plot}
    return plots


def _kind(case: Case) -> str:
    """Says of which images a case is, and how its course is unusual, but for its quality."""
    settings = [
        str(getattr(value, "value", value))
        for field in dataclasses.fields(case.course)
        for value in [getattr(case.course, field.name)]
        if field.name != "quality" and value != field.default
    ]
    return ", ".join([case.images, *settings])


def _gain(kind: str, cases: Sequence[Case], results: Results, paper: bool) -> Plot | None:
    figure, axes = plt.subplots(figsize=_SIZE)
    for name in results.methods(cases):
        gains = [(case.x, results.gain(case, name)) for case in cases]
        known = [(x, gain) for x, gain in gains if gain is not None and np.isfinite(gain)]
        if known and name != INPUT:
            axes.plot(*zip(*known), marker="o", markersize=3, label=name)
    drawn = bool(axes.lines)
    if drawn and paper:
        about = published.FIGURE4
        axes.plot([*about], [*about.values()], "k--", marker="x", label="AGARNet [paper, about]")
    axes.axhline(0, color="gray", linewidth=0.8)
    _label(axes, f"{kind}: gain over the JPEG", "quality", "PSNR gain, dB")
    return _plot(figure, drawn, f"{kind}: gain in PSNR over the JPEG by quality, a line a method")


def _estimate(kind: str, cases: Sequence[Case], results: Results, paper: bool) -> Plot | None:
    figure, axes = plt.subplots(figsize=_SIZE)
    for name in results.methods(cases):
        found = [(case.x, results.estimate(case, name)) for case in cases]
        known = [(x, *value) for x, value in found if value]
        if known:
            x, mean, spread = zip(*known)
            axes.errorbar(x, np.subtract(mean, x), yerr=spread, capsize=3, fmt="o-", label=name)
    drawn = bool(axes.lines)
    if drawn and paper:
        means, spreads = zip(*published.ESTIMATES.values())
        true = np.array([*published.ESTIMATES])
        beside = true + 0.7
        axes.errorbar(
            beside,
            np.subtract(means, true),
            yerr=spreads,
            capsize=3,
            fmt="kx",
            label="Q_EST [paper]",
        )
    axes.axhline(0, color="gray", linewidth=0.8)
    _label(axes, f"{kind}: estimated less true quality", "true quality", "mean ± std of images")
    return _plot(figure, drawn, f"{kind}: error of the estimated quality by the true one")


def _frequency(kind: str, cases: Sequence[Case], results: Results) -> Plot | None:
    """Draws the error by frequency, at the lowest quality of 10 or more."""
    case = next((case for case in cases if (case.x or 0) >= 10), cases[-1])
    figure, axes = plt.subplots(figsize=_SIZE)
    for name in results.methods(cases):
        errors = scoring.mean_frequency_error(results.scores(case, name))
        if errors is not None:
            axes.plot(np.sqrt(errors), marker=".", label=name)
    drawn = bool(axes.lines)
    title = f"{kind}, {case.column}: error by DCT frequency"
    _label(axes, title, "frequency, zigzag order (0 = mean)", "root mean square error, levels")
    return _plot(figure, drawn, f"{title}: root mean square of each coefficient, a line a method")


def _label(axes: matplotlib.axes.Axes, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.title.set_parse_math(False)  # a folder's name may have a $ in it
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        for text in axes.legend(fontsize="small").get_texts():
            text.set_parse_math(False)


def _plot(figure: matplotlib.figure.Figure, drawn: bool, alt: str) -> Plot | None:
    title = figure.axes[0].get_title()
    buffer = io.BytesIO()
    if drawn:
        figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    return Plot(title, buffer.getvalue(), alt) if drawn else None
