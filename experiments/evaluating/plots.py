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
    """Draws PSNR gain and quality estimate by quality, and error by frequency.

    Each set has its own plots, with separate ones for JPEGs of non-default settings.

    Args:
      cases: single JPEGs, with their quality as `x`.
      results: scores of the cases.
      paper: whether the paper's values are comparable and drawn too.

    Returns:
      Plots by file name.
    """
    matplotlib.use("Agg")
    groups: dict[str, dict[int, Case]] = {}
    for case in cases:
        groups.setdefault(_group_name(case), {})[case.x or 0] = case
    plots: dict[str, Plot] = {}
    for group, by_quality in groups.items():
        ordered = [by_quality[x] for x in sorted(by_quality)]
        with_paper = paper and group == published.LIVE1
        drawn = {
            "gain": _draw_gain(group, ordered, results, with_paper),
            "estimate": _draw_estimate(group, ordered, results, with_paper),
            "frequency": _draw_frequency_error(group, ordered, results),
        }
        name = group.translate({ord(" "): "_", ord(","): None, ord(":"): None})
        plots |= {f"{kind}_{name}.png": plot for kind, plot in drawn.items() if plot}
    return plots


def _group_name(case: Case) -> str:
    """Names a case's image set and its non-default JPEG settings other than quality."""
    settings = [
        str(getattr(value, "value", value))
        for field in dataclasses.fields(case.degradation)
        for value in [getattr(case.degradation, field.name)]
        if field.name != "quality" and value != field.default
    ]
    return ", ".join([case.images, *settings])


def _draw_gain(group: str, cases: Sequence[Case], results: Results, paper: bool) -> Plot | None:
    figure, axes = plt.subplots(figsize=_SIZE)
    for name in results.methods(cases):
        gains = [(case.x, results.gain(case, name)) for case in cases]
        known = [(x, gain) for x, gain in gains if gain is not None and np.isfinite(gain)]
        if known and name != INPUT:
            axes.plot(*zip(*known), marker="o", markersize=3, label=name)
    drawn = bool(axes.lines)
    if drawn and paper:
        figure4 = published.FIGURE4
        label = "AGARNet [paper, approx.]"
        axes.plot([*figure4], [*figure4.values()], "k--", marker="x", label=label)
    axes.axhline(0, color="gray", linewidth=0.8)
    _label(axes, f"{group}: PSNR gain over the JPEG", "JPEG quality", "PSNR gain (dB)")
    alt = f"{group}: PSNR gain over the JPEG by quality, one line per method"
    return _finish(figure, drawn, alt)


def _draw_estimate(group: str, cases: Sequence[Case], results: Results, paper: bool) -> Plot | None:
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
        axes.errorbar(
            true + 0.7,  # next to ours
            np.subtract(means, true),
            yerr=spreads,
            capsize=3,
            fmt="kx",
            label="Q_EST [paper]",
        )
    axes.axhline(0, color="gray", linewidth=0.8)
    title = f"{group}: error of the estimated quality"
    _label(axes, title, "true quality", "estimated − true (mean ± std)")
    return _finish(figure, drawn, f"{title} by true quality, one line per method")


def _draw_frequency_error(group: str, cases: Sequence[Case], results: Results) -> Plot | None:
    """Draws the error by frequency at the lowest quality that is at least 10."""
    case = next((case for case in cases if (case.x or 0) >= 10), cases[-1])
    figure, axes = plt.subplots(figsize=_SIZE)
    for name in results.methods(cases):
        errors = scoring.mean_frequency_error(results.scores(case, name))
        if errors is not None:
            axes.plot(np.sqrt(errors), marker=".", label=name)
    drawn = bool(axes.lines)
    title = f"{group}, {case.column}: error by DCT frequency"
    _label(axes, title, "frequency in zigzag order (0 = DC)", "RMSE (levels)")
    alt = f"{title}: root mean square error of each coefficient, one line per method"
    return _finish(figure, drawn, alt)


def _label(axes: matplotlib.axes.Axes, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.title.set_parse_math(False)  # folder names may contain $
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        for text in axes.legend(fontsize="small").get_texts():
            text.set_parse_math(False)


def _finish(figure: matplotlib.figure.Figure, drawn: bool, alt: str) -> Plot | None:
    title = figure.axes[0].get_title()
    buffer = io.BytesIO()
    if drawn:
        figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    return Plot(title, buffer.getvalue(), alt) if drawn else None
