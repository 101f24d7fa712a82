"""Tables in the layout of the papers, with their rows below ours; also formats Markdown."""

from collections.abc import Iterable, Sequence

from experiments.evaluating import published, scoring
from experiments.evaluating.records import INPUT, Results
from experiments.evaluating.report_parts import Gain, Table
from experiments.evaluating.suites import OWN, THIRD, Case
from experiments.markdown import aligned_table

Cell = str | float | None


def markdown(table: Table) -> str:
    """Formats title, table and note as Markdown with aligned columns."""
    rows = [[_cell_text(cell, table.decimals) for cell in row] for row in table.rows]
    has_names = any(not f"{row[0]}".isdigit() for row in table.rows)
    parts = [
        f"### {table.title}",
        aligned_table(table.columns, rows, left_aligned={0} if has_names else ()),
    ]
    return "\n\n".join([*parts, *([table.note] if table.note else [])])


def _cell_text(cell: Cell, decimals: int) -> str:
    if cell is None:
        return "–"
    return str(cell) if isinstance(cell, str | Gain) else f"{cell:.{decimals}f}"


def make_tables(suite: str, cases: Sequence[Case], results: Results, *, paper: bool) -> list[Table]:
    """Returns the tables of a suite; `paper`: whether published rows use the same protocol."""
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
    """Returns a table with a row per quality: PSNR and gain of each method, and the estimate."""
    del paper  # no published rows
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
    columns += ["estimated Q" for _ in estimating]
    images = cases[0].images
    note = f"PSNR in dB, {_count(cases[:1], results)}."
    if estimating:
        note += f" Quality estimated by {estimating[0]}: mean ± standard deviation."
    tables = [Table(f"{images}: single JPEG", tuple(columns), tuple(rows), note)]
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
            known = {"JPEG [paper]": published.TABLE2_JPEG[images], **published.TABLE2[images]}
            rows += [(name, *_published_pairs(*values)) for name, values in known.items()]
        note = f"PSNR in dB / SSIM (uniform window), {_count(of_set, results)}."
        tables.append(_by_case(f"{images}: single JPEG (paper, table 2)", of_set, rows, note))
        tables += _other_metrics(images, of_set, results)
    return [*tables, *_estimates(cases, results, paper)]


def _other_metrics(images: str, cases: Sequence[Case], results: Results) -> list[Table]:
    tables = []
    for metric, title in (
        ("psnr_b", "PSNR-B (dB)"),
        ("ssim_uniform", "SSIM, uniform window (as in the paper)"),
        ("ssim_gaussian", "SSIM, Gaussian window (as in newer papers)"),
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
        known = [_plus_minus(value) for value in published.ESTIMATES.values()]
        rows.append(("LIVE1 Q_EST [paper]", *known))
    note = "Mean ± standard deviation over images."
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
    heads = ("Q", "images", INPUT, *methods, *(["paper, approx."] if paper else []))
    note = (
        f"PSNR gain over the JPEG in dB; all images at the paper's qualities, every {THIRD}rd at "
        "the others. The paper's column is read from figure 4 (all images; negative above Q94)."
    )
    return [Table("LIVE1: PSNR gain by quality (paper, figure 4)", heads, tuple(rows), note)]


def _double(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    rows = _psnr_rows(cases, results)
    if paper and all(map(results.is_complete, cases)):
        for name, values in {"JPEG [reference]": published.DOUBLE_JPEG, **published.DOUBLE}.items():
            rows.append((name, *(values.get(pair) for pair in published.DOUBLE_JPEG)))
    note = (
        f"PSNR in dB, {_count(cases, results)}. Columns are (first, second) quality; images are "
        "cropped by (4, 4) in between."
    )
    return [_by_case("LIVE1: non-aligned double JPEG, shifted by (4, 4)", cases, rows, note)]


def _table3(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    rows = _psnr_rows(cases, results)
    if paper:
        for index, name in enumerate(("JPEG [paper]", "AGARNet-EST [paper]")):
            rows.append((name, *(values[index] for values in published.TABLE3.values())))
    pairs = ", ".join(case.folder.removeprefix("aligned_").replace("_", "→") for case in cases)
    note = (
        f"PSNR in dB, {_count(cases, results)}. Approximate protocol: the paper uses all 29 images "
        f"and does not state its quality pairs. Ours, by column: {pairs}."
    )
    title = "LIVE1: aligned double JPEG (paper, table 3), approximate protocol"
    return [_by_case(title, cases, rows, note)]


def _video(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    columns = list(dict.fromkeys(case.column for case in cases if case.variants))
    clips = list(dict.fromkeys(case.images for case in cases))
    found = {(case.images, case.column): case for case in cases}
    without_jpeg = {column: column.partition("-")[0] for column in columns}

    def means(clips: Sequence[str], name: str) -> list[Cell]:
        if name == "MPEG-2":
            shown, method = list(without_jpeg.values()), INPUT
        else:
            shown, method = columns, name
        return [results.mean([found[c, column] for c in clips], method, "psnr") for column in shown]

    methods = results.methods([case for case in cases if case.variants])
    labels = {"MPEG-2": "MPEG-2", **{m: "MPEG-2, JPEG" if m == INPUT else m for m in methods}}
    rows: list[tuple[Cell, ...]] = [(label, *means(clips, m)) for m, label in labels.items()]
    if paper:
        for name, values in published.TABLE4.items():
            keys = [(float(c.split("M-")[0]), int(c.split("-")[1])) for c in columns]
            rows.append((name, *(values.get(key) for key in keys)))  # type: ignore[arg-type]
    for clip in clips:
        rows += [(f"{clip}: {label}", *means([clip], m)) for m, label in labels.items()]
    note = (
        "PSNR of studio-range luma in dB, mean over frames, then over clips. Columns are the bit "
        "rate of MPEG-2 (FFmpeg, constant rate) in Mbit/s and the JPEG quality. Not the paper's "
        f"clip, which is not available, but {', '.join(clips)}, downscaled to at most 320 pixels "
        "per side, so the same bit rate preserves more detail. Only the order of the rows is "
        "comparable."
    )
    title = "Video: MPEG-2, then JPEG (paper, table 4)"
    return [Table(title, ("method", *columns), tuple(rows), note)]


def _color(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    rows = _psnr_rows(cases, results)
    if paper and all(map(results.is_complete, cases)):
        values = (published.COLOR_JPEG.get(case.x or 0) for case in cases)
        rows.append(("JPEG [reference]", *values))
    note = (
        f"PSNR over R, G and B in dB, {_count(cases, results)}; JPEG 4:2:0. Luma and both chroma "
        "planes are restored."
    )
    return [_by_case("LIVE1: colour", cases, rows, note)]


def _mosaic(cases: Sequence[Case], results: Results, paper: bool) -> list[Table]:
    del paper  # no published rows
    rows = _psnr_rows(cases, results)
    note = (
        f"PSNR in dB, {_count(cases, results)}. The two halves have different qualities; "
        "AGARNet is given the true map, -EST estimates one quality, -ESP a map."
    )
    return [_by_case("LIVE1: spatially varying quality", cases, rows, note)]


def _by_case(
    title: str,
    cases: Sequence[Case],
    rows: Iterable[tuple[Cell, ...]],
    note: str = "",
    decimals: int = 2,
) -> Table:
    """Returns a table with a row per method and a column per case."""
    heads = ("method", *(case.column for case in cases))
    return Table(title, heads, tuple(rows), note, decimals)


def _psnr_rows(cases: Sequence[Case], results: Results) -> list[tuple[Cell, ...]]:
    """Returns a row per method with its PSNR in each case."""
    return [
        (name, *(results.mean(case, name, "psnr") for case in cases))
        for name in results.methods(cases)
    ]


def _pair(results: Results, case: Case, name: str) -> str | None:
    psnr, ssim = (results.mean(case, name, metric) for metric in ("psnr", "ssim_uniform"))
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
    """States the number of images that means are over."""
    used, total = len(results.indices(cases[0])), results.size(cases[0])
    return f"mean of {used} image(s)" if used == total else f"mean of {used} of {total} images"
