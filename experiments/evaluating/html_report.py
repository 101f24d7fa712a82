"""Renders a report as a self-contained HTML file that is also readable without JavaScript.

The static parts are in page/: page.html is the frame, tables.js makes tables sortable, tools.html
has the controls that comparisons.js adds to each image comparison.
"""

import base64
import hashlib
import itertools
import math
import numbers
import string
from collections.abc import Iterable, Iterator
from html import escape
from importlib import resources

import numpy as np

from experiments.evaluating import html_images
from experiments.evaluating.report_parts import Comparison, Gain, Plot, Report, Table

_STYLES = ("report.css", "tables.css", "comparisons.css")
_SCRIPTS = ("tables.js", "comparisons.js")
_NUMBER = ' class="number"'


def render(report: Report) -> str:
    """Returns the document. All text of the report is escaped; images are embedded as PNG."""
    style = _lines(map(_static, _STYLES))
    scripts = [_static(name) for name in _SCRIPTS]
    return string.Template(_static("page.html")).substitute(
        policy=_policy(style, scripts),
        style=style,
        title=escape(report.title),
        contents=_lines(_contents(report)),
        warnings=_lines(_warnings(report.warnings)),
        facts=_lines(_facts(report)),
        tables=_section("Tables", "tables", map(_table, _ids("table"), report.tables)),
        plots=_section("Plots", "plots", map(_plot, _ids("plot"), report.plots)),
        comparisons=_section(
            "Images", "images", map(_comparison, _ids("comparison"), report.comparisons)
        ),
        tools=_static("tools.html"),
        scripts=_lines(f'<script type="module">{script}</script>' for script in scripts),
    )


def _static(name: str) -> str:
    page = resources.files("experiments.evaluating") / "page"
    return (page / name).read_text(encoding="utf-8")


def _policy(style: str, scripts: list[str]) -> str:
    """Returns a Content Security Policy that allows only embedded images and these hashed texts."""

    def source(text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"

    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src {source(style)}; script-src {' '.join(map(source, scripts))}"
    )


def _ids(kind: str) -> Iterator[str]:
    return (f"{kind}-{number}" for number in itertools.count(1))


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(parts)


def _contents(report: Report) -> Iterator[str]:
    sections = {
        "Tables": ("table", [table.title for table in report.tables]),
        "Plots": ("plot", [plot.title for plot in report.plots]),
        "Images": ("comparison", [comparison.name for comparison in report.comparisons]),
    }
    for heading, (kind, titles) in sections.items():
        if titles:
            links = (
                f'<li><a href="#{identity}">{escape(title)}</a></li>'
                for identity, title in zip(_ids(kind), titles)
            )
            yield f'<li><a href="#{heading.lower()}">{heading}</a><ol>{"".join(links)}</ol></li>'


def _warnings(warnings: tuple[str, ...]) -> Iterator[str]:
    if warnings:
        yield '<section class="warnings" aria-labelledby="warnings">'
        yield f'<h2 id="warnings">{"Warning" if len(warnings) == 1 else "Warnings"}</h2>'
        yield from (f"<p>{escape(warning)}</p>" for warning in warnings)
        yield "</section>"


def _facts(report: Report) -> Iterator[str]:
    if report.facts:
        yield '<details class="facts"><summary>How this report was made</summary><dl>'
        for name, value in report.facts.items():
            yield f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        yield "</dl></details>"


def _section(heading: str, identity: str, parts: Iterable[str]) -> str:
    body = _lines(parts)
    return f'<section><h2 id="{identity}">{heading}</h2>\n{body}\n</section>' if body else ""


def _table(identity: str, table: Table) -> str:
    head = "".join(
        f'<th scope="col"{_NUMBER if _has_numbers(table, index) else ""}>{_words(column)}</th>'
        for index, column in enumerate(table.columns)
    )
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return _lines(
        [
            f'<article id="{identity}" class="table">',
            f'<h3 id="{identity}-title">{escape(table.title)}</h3>',
            # Wide tables scroll on their own; focusable for scrolling with the arrow keys.
            f'<div class="scroll" role="region" aria-labelledby="{identity}-title" tabindex="0">',
            f'<table aria-labelledby="{identity}-title"><thead><tr>{head}</tr></thead><tbody>',
            *(_row(row, table.decimals) for row in table.rows),
            f"</tbody></table></div>{note}</article>",
        ]
    )


def _has_numbers(table: Table, column: int) -> bool:
    return any(isinstance(row[column], numbers.Real) for row in table.rows)


def _words(text: str) -> str:
    return " ".join(f"<span>{escape(word)}</span>" for word in text.split())


def _row(row: tuple[str | float | None, ...], decimals: int) -> str:
    first, *others = (_cell(value, decimals) for value in row)
    cells = "".join(f"<td{attributes}>{text}</td>" for attributes, text in others)
    return f'<tr><th scope="row"{first[0]}>{first[1]}</th>{cells}</tr>'


def _cell(value: str | float | None, decimals: int) -> tuple[str, str]:
    """Returns a cell's attributes and text. Tables are sorted by the unrounded data-value."""
    if value is None:
        return _NUMBER, '<span aria-label="none">–</span>'
    if isinstance(value, str):
        return "", escape(value)
    number = float(value)
    if not math.isfinite(number):
        if math.isnan(number):
            return _NUMBER, "nan"
        sign = "-" if number < 0 else ""
        return f'{_NUMBER} data-value="{sign}Infinity"', f"{sign}∞"
    # Counts and qualities are integers and shown without decimals.
    exact = isinstance(value, numbers.Integral | Gain)
    text = str(value) if exact else f"{number:.{decimals}f}"
    return f'{_NUMBER} data-value="{number!r}"', text


def _plot(identity: str, plot: Plot) -> str:
    title = escape(plot.title)
    return (
        f'<figure id="{identity}" class="plot"><figcaption><h3>{title}</h3></figcaption>'
        f'<div class="scroll" role="region" aria-label="{title}" tabindex="0">'
        f'<img src="{html_images.png_uri(plot.png)}" alt="{escape(plot.alt)}"></div></figure>'
    )


def _comparison(identity: str, comparison: Comparison) -> str:
    figures = (
        f'<figure data-name="{escape(method)}">{_image(image, f"{comparison.name}: {method}")}'
        f"<figcaption>{escape(method)}</figcaption></figure>"
        for method, image in comparison.images.items()
    )
    return _lines(
        [
            f'<article id="{identity}" class="comparison"><h3>{escape(comparison.name)}</h3>',
            f'<p class="note">{escape(comparison.note)}</p>',
            '<div class="views"><div class="stage">',
            *figures,
            '</div><div class="side">',
            _quality_map(comparison.name, comparison.quality_map),
            "</div></div></article>",
        ]
    )


def _image(image: np.ndarray, alt: str) -> str:
    height, width = image.shape[:2]
    uri = html_images.image_uri(image)
    return f'<img src="{uri}" width="{width}" height="{height}" alt="{escape(alt)}">'


def _quality_map(name: str, quality_map: np.ndarray) -> str:
    colored = html_images.quality_map_image(quality_map)
    height, width = quality_map.shape
    mean, low, high = quality_map.mean(), quality_map.min(), quality_map.max()
    alt = escape(f"{name}: assumed JPEG quality of each pixel, {low:.1f} to {high:.1f}")
    return (
        f'<figure class="quality-map"><div class="overview"><img src="{colored.uri}" '
        f'width="{width}" height="{height}" alt="{alt}"></div><figcaption>'
        f"Assumed JPEG quality: mean {mean:.1f}, range {low:.1f} to {high:.1f}"
        f'<span class="scale"><span>{colored.low}</span><img src="{colored.scale_uri}" alt="to">'
        f"<span>{colored.high}</span></span></figcaption></figure>"
    )
