"""Writes a report's files: JSON and CSV, Markdown tables, plots and an HTML page."""

import dataclasses
import datetime
import json
import math
import os
import pathlib
import platform
import shlex
import sys
from collections.abc import Mapping
from typing import Any

from agarnet_jax import atomic_files
from experiments.evaluating import environment, records, tables
from experiments.evaluating.records import Results
from experiments.evaluating.report_parts import Plot, Report


def facts() -> dict[str, str]:
    """Returns the command, date, versions and hardware by name."""
    return {
        "command": f"python -m experiments.evaluate {shlex.join(sys.argv[1:])}".strip(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": environment.versions(),
        "hardware": f"{environment.devices()}, {os.cpu_count()} CPU cores, {platform.platform()}",
    }


def markdown(report: Report) -> str:
    """Formats warnings, facts and all tables as Markdown."""
    parts = [f"# {report.title}"]
    if report.warnings:
        parts.append("\n".join(f"- **Warning**: {line}" for line in report.warnings))
    parts.append("\n".join(f"- {name}: {value}" for name, value in report.facts.items()))
    parts += [tables.markdown(table) for table in report.tables]
    return "\n\n".join(parts) + "\n"


def write(report: Report, results: Results, plots: Mapping[str, Plot], out: pathlib.Path) -> None:
    """Writes `report.json`, `scores.csv`, `tables.md`, `plots/*.png` and `report.html`.

    The JSON file has unrounded numbers, with null for those that are not finite.
    """
    from experiments.evaluating import html_report

    (out / "plots").mkdir(parents=True, exist_ok=True)
    for name, plot in plots.items():
        atomic_files.write(out / "plots" / name, plot.png)
    content = {
        "title": report.title,
        "facts": dict(report.facts),
        "warnings": list(report.warnings),
        "tables": [dataclasses.asdict(table) for table in report.tables],
        "scores": [
            records.csv_row(record) | {"frequency_error": record.scores.frequency_error}
            for record in results.records
        ],
    }
    texts = {
        "report.json": json.dumps(_finite(content), indent=1, allow_nan=False) + "\n",
        "scores.csv": records.csv_text(results.records),
        "tables.md": markdown(report),
        "report.html": html_report.render(report),
    }
    for name, text in texts.items():  # image names may hold bytes that are not UTF-8
        atomic_files.write(out / name, text.encode(errors="backslashreplace"))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
