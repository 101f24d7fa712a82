"""Tables in the layout of the papers, their rows beside ours, and tables as Markdown."""

from collections.abc import Iterable, Sequence

from experiments.evaluating import published, scoring
from experiments.evaluating.records import INPUT, Results
from experiments.evaluating.report_parts import Gain, Table
from experiments.evaluating.suites import OWN, THIRD, Case
from experiments.markdown import aligned_table

Cell = str | float | None


def markdown(table: Table) -> str:
    """Writes title, table and note as Markdown, its columns aligned."""
    rows = [[text(cell, table.decimals) for cell in row] for row in table.rows]
    names = any(not f"{row[0]}".isdigit() for row in table.rows)
    parts = [
        f"### {table.title}",
        aligned_table(table.columns, rows, left_aligned={0} if names else ()),
    ]
    return "\n\n".join([*parts, *([table.note] if table.note else [])])


def text(cell: Cell, decimals: int) -> str:
    if cell is None:
        return "–"
    return str(cell) if isinstance(cell, str | Gain) else f"{cell:.{decimals}f}"


def of_suite(suite: str, cases: Sequence[Case], results: Results, *, paper: bool) -> list[Table]:
    """Makes the tables of one suite; `paper`: whether published rows are of the same protocol."""
    builders = {
        OWN: _own,
        "table2": _table2,
        "gain": _gain,
        "double": _double,
        "table3": _table3,
        "video": _video,
        "color": _color,
        "mosaic": _mosaic,
    }
    return builders[suite](cases, results, paper)


def _own(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    """Makes a table with a line a quality, each method with its gain, and the estimate."""
    del paper  # has none
    methods = [name for name in results.methods(cases) if name != INPUT]
    restoring = [m for m in methods if any(results.scores(c, m) for c in cases)]
    estimating = [m for m in restoring if any(results.estimate(c, m) for c in cases)][:1]
    columns = ["Q", INPUT]
    for name in restoring:
        columns += [name, "gain"]
    rows = []
    for case in cases:
        row: list[Cell] = [f"{case.x}", results.mean(case, INPUT, "psnr")]
        for name in restoring:
            row += [results.mean(case, name, "psnr"), _signed(results.gain(case, name))]
        row += [_plus_minus(results.estimate(case, name)) for name in estimating]
        rows.append(tuple(row))
    heads = (*columns, *["estimate" for _ in estimating])
    images = cases[0].images
    whose = f" of {estimating[0]}" if estimating else ""
    note = f"PSNR in dB, {_count(cases[:1], results)}; estimate{whose}: mean ± standard deviation."
    tables = [Table(f"{images}: single JPEG", heads, tuple(rows), note)]
    return [*tables, *_other_metrics(images, cases, results)]


def _table2(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    tables = []
    for images in dict.fromkeys(case.images for case in cases):
        of_set = [case for case in cases if case.images == images]
        rows = [
            (name, *(_pair(results, case, name) for case in of_set))
            for name in results.methods(of_set)
        ]
        if paper:
            theirs = {"JPEG [paper]": published.TABLE2_JPEG[images], **published.TABLE2[images]}
            rows += [(name, *_published_pairs(*values)) for name, values in theirs.items()]
        note = f"PSNR in dB / SSIM of the uniform window, {_count(of_set, results)}."
        tables.append(_by_case(f"{images}, single JPEG (paper, table 2)", of_set, rows, note))
        tables += _other_metrics(images, of_set, results)
    return [*tables, *_estimates(cases, results, paper)]


def _other_metrics(images: str, cases: Sequence[Case], results: Results) -> list[Table]:
    tables = []
    for metric, title in (
        ("psnr_b", "PSNR-B in dB"),
        ("ssim_uniform", "SSIM, uniform window (paper)"),
        ("ssim_gaussian", "SSIM, Gaussian window (newer papers)"),
    ):
        rows = tuple(
            (name, *(results.mean(case, name, metric) for case in cases))
            for name in results.methods(cases)
            if any(results.mean(case, name, metric) is not None for case in cases)
        )
        if rows:
            decimals = scoring.DECIMALS[metric]
            tables.append(_by_case(f"{images}: {title}", cases, rows, decimals=decimals))
    return tables


def _estimates(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    rows: list[tuple[Cell, ...]] = []
    columns = list(dict.fromkeys(case.column for case in cases))
    for images in dict.fromkeys(case.images for case in cases):
        of_set = [case for case in cases if case.images == images]
        for name in results.methods(of_set):
            values = [results.estimate(case, name) for case in of_set]
            if any(values):
                rows.append((f"{images} {name}", *map(_plus_minus, values)))
    if not rows:
        return []
    if paper:
        theirs = [_plus_minus(value) for value in published.ESTIMATES.values()]
        rows.append(("LIVE1 Q_EST [paper]", *theirs))
    note = "Mean ± standard deviation over images of the estimated quality."
    return [Table("Estimated quality", ("estimator", *columns), tuple(rows), note)]


def _gain(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    cases = sorted(cases, key=lambda case: case.x or 0)
    methods = [name for name in results.methods(cases) if name != INPUT]
    rows = []
    for case in cases:
        gains = [results.gain(case, name) for name in methods]
        if paper:
            gains.append(published.FIGURE4.get(case.x or 0))
        images = f"{len(results.indices(case))}"
        rows.append((f"{case.x}", images, results.mean(case, INPUT, "psnr"), *map(_signed, gains)))
    heads = ("Q", "images", INPUT, *methods, *(["paper, about"] if paper else []))
    note = (
        f"Gain of PSNR in dB over the JPEG; all images at the paper's qualities, every {THIRD}rd "
        "at the others. The paper's column is read off figure 4 (all images; below zero past Q94)."
    )
    return [Table("LIVE1, gain by quality (paper, figure 4)", heads, tuple(rows), note)]


def _double(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    rows = _psnr_rows(cases, results)
    if paper and all(map(results.is_whole, cases)):
        for name, values in {"JPEG [known]": published.DOUBLE_JPEG, **published.DOUBLE}.items():
            rows.append((name, *(values.get(pair) for pair in published.DOUBLE_JPEG)))
    note = (
        f"PSNR in dB, {_count(cases, results)}. (first, second) quality; cropped by (4, 4) between."
    )
    return [_by_case("LIVE1, double JPEG off the grid", cases, rows, note)]


def _table3(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    rows = _psnr_rows(cases, results)
    if paper:
        for row, name in enumerate(("JPEG [paper]", "AGARNet-EST [paper]")):
            rows.append((name, *(values[row] for values in published.TABLE3.values())))
    pairs = ", ".join(case.folder.removeprefix("aligned_").replace("_", "→") for case in cases)
    note = (
        f"Approximate protocol: PSNR in dB, {_count(cases, results)}; the paper has all 29, and "
        f"does not say its pairs of qualities. Ours, by column: {pairs}."
    )
    title = "LIVE1, aligned recompression (paper, table 3), approximate protocol"
    return [_by_case(title, cases, rows, note)]


def _video(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    columns = list(dict.fromkeys(case.column for case in cases if case.variants))
    clips = list(dict.fromkeys(case.images for case in cases))
    found = {(case.images, case.column): case for case in cases}
    alone = {column: column.partition("-")[0] for column in columns}

    def over(clips: Sequence[str], name: str) -> list[Cell]:
        if name == "MPEG-2":
            return [results.mean([found[c, alone[k]] for c in clips], INPUT, "psnr") for k in alone]
        return [results.mean([found[c, k] for c in clips], name, "psnr") for k in columns]

    saved = results.methods([case for case in cases if case.variants])
    names = {"MPEG-2": "MPEG-2", **{n: "MPEG-2, JPEG" if n == INPUT else n for n in saved}}
    rows: list[tuple[Cell, ...]] = [(shown, *over(clips, n)) for n, shown in names.items()]
    if paper:
        for name, values in published.TABLE4.items():
            keys = [(float(c.split("M-")[0]), int(c.split("-")[1])) for c in columns]
            rows.append((name, *(values.get(key) for key in keys)))  # type: ignore[arg-type]
    for clip in clips:
        rows += [(f"{clip}: {shown}", *over([clip], n)) for n, shown in names.items()]
    note = (
        "PSNR in dB of studio-range luma, mean over frames, then over clips; Mbit/s of MPEG-2 "
        "(FFmpeg, constant rate) and quality of the JPEG. Not the paper's clip, which is not "
        f"available: {', '.join(clips)}, reduced to 320 pixels a side at most, so the same rate "
        "leaves more of them. What compares is the order of the rows."
    )
    return [Table("Video, then JPEG (paper, table 4)", ("method", *columns), tuple(rows), note)]


def _color(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    rows = _psnr_rows(cases, results)
    if paper and all(map(results.is_whole, cases)):
        rows.append(("JPEG [known]", *(published.COLOR_JPEG.get(case.x or 0) for case in cases)))
    note = (
        f"PSNR in dB over R, G and B, {_count(cases, results)}; JPEG 4:2:0. Luma and both chroma "
        "planes are restored."
    )
    return [_by_case("LIVE1, colour", cases, rows, note)]


def _mosaic(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    del paper  # has none
    rows = _psnr_rows(cases, results)
    note = (
        f"PSNR in dB, {_count(cases, results)}. Left and right half have different qualities; "
        "AGARNet is told the true map, -EST estimates one quality, -ESP a map."
    )
    return [_by_case("LIVE1, quality that varies in space", cases, rows, note)]


def _by_case(
    title: str,
    cases: Sequence[Case],
    rows: Iterable[tuple[Cell, ...]],
    note: str = "",
    decimals: int = 2,
) -> Table:
    """Makes a table with a line for each method and a column for each case."""
    heads = ("method", *(case.column for case in cases))
    return Table(title, heads, tuple(rows), note, decimals)


def _psnr_rows(cases: Sequence[Case], results: Results) -> list[tuple[Cell, ...]]:
    """Makes a row for each method, with a column for each case."""
    return [
        (name, *(results.mean(case, name, "psnr") for case in cases))
        for name in results.methods(cases)
    ]


def _pair(results: Results, case: Case, name: str) -> str | None:
    values = (results.mean(case, name, metric) for metric in ("psnr", "ssim_uniform"))
    psnr, ssim = values
    return None if psnr is None else f"{psnr:.2f}/{_ssim(ssim)}"


def _published_pairs(psnr: Sequence[float], ssim: Sequence[float]) -> list[str | None]:
    pairs: list[str | None] = [
        f"{psnr[i]:.2f}" + (f"/{_ssim(ssim[i])}" if ssim else "") for i in range(len(psnr))
    ]
    return pairs + [None] * (len(published.QUALITIES) - len(pairs))


def _ssim(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}".removeprefix("0")


def _signed(gain: float | None) -> Gain | None:
    return None if gain is None else Gain(gain)


def _plus_minus(value: tuple[float, float] | None) -> str | None:
    return None if value is None else f"{value[0]:.2f} ± {value[1]:.2f}"


def _count(cases: Sequence[Case], results: Results) -> str:
    """Says how many images the means are over, and of how many."""
    few, whole = len(results.indices(cases[0])), results.size(cases[0])
    return f"mean of {few} image(s)" if few == whole else f"mean of {few} of {whole} images"
