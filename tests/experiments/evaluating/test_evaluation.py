"""Complete evaluations, from settings to files."""

import csv
import errno
import io
import json
import os
import pathlib
import re
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from agarnet_jax import atomic_files
from agarnet_jax.color import LumaRange
from agarnet_jax.models import CellPlacement
from data_pipelines.degradations.jpeg import Jpeg
from experiments.evaluating import suites
from experiments.evaluating.evaluation import evaluate
from experiments.evaluating.settings import Settings

FILES = {"report.json", "scores.csv", "tables.md", "report.html", "plots", "cache"}


@pytest.fixture
def data(tmp_path, photos, astronaut, save):
    """A folder of test sets with images that are not those of the benchmarks."""
    root = tmp_path / "data"
    for name, image in photos.items():
        save(root / "test" / "LIVE1_gray" / f"{name}.png", image)
        save(root / "test" / "Classic5" / f"{name}.bmp", image)
        save(root / "test" / "LIVE1_color" / f"{name}.png", astronaut[: len(image), :64])
    return root


@pytest.fixture
def few(monkeypatch):
    """Suites with fewer qualities, for speed."""
    monkeypatch.setattr(suites.published, "QUALITIES", (10, 40))
    monkeypatch.setattr(suites, "GAIN_QUALITIES", (1, 95))
    monkeypatch.setattr(suites, "TABLE3_PAIRS", {("low", "high"): (20, 60)})
    monkeypatch.setattr(suites, "MOSAICS", ((10, 50),))
    monkeypatch.setattr(suites.published, "DOUBLE_JPEG", {(30, 10): 27.49})


def published_rows(report):
    return [row[0] for table in report.tables for row in table.rows if "[" in row[0]]


def test_all_suites_write_a_complete_report(data, few, small_file, tmp_path):
    out = tmp_path / "out"
    result = evaluate(
        Settings(weights=small_file, suites=suites.SUITES, data_dir=str(data), out=str(out))
    )
    assert {path.name for path in out.iterdir()} == FILES
    plots = {path.name for path in (out / "plots").iterdir()}
    assert {"gain_LIVE1.png", "estimate_LIVE1.png", "frequency_LIVE1.png"} <= plots
    for plot in (out / "plots").iterdir():
        with Image.open(plot) as image:
            assert image.width > 400

    report = json.loads((out / "report.json").read_text())
    titles = [table["title"] for table in report["tables"]]
    for word in ("table 2", "figure 4", "double JPEG", "table 3", "colour", "spatially varying"):
        assert any(word in title for title in titles), word
    assert re.search(r"SHA-256 [0-9a-f]{64}$", report["facts"]["weights AGARNet"])
    assert "libjpeg-turbo" in report["facts"]["versions"]
    assert {"command", "date", "hardware", "luma", "scores"} <= report["facts"].keys()
    warnings = "\n".join(report["warnings"])
    assert "video: skipped: no clip in" in warnings
    assert "LIVE1 has 3 images here but 29 in the papers" in warnings
    assert "JPEG ROW MISMATCH: LIVE1 Q10 psnr is" in warnings
    assert report["warnings"] == list(result.report.warnings)
    text = (out / "tables.md").read_text()
    assert all(title in text for title in titles)
    assert all(f"**Warning**: {line}" in text for line in report["warnings"])

    rows = list(csv.DictReader(io.StringIO((out / "scores.csv").read_text())))
    assert len(rows) == len(report["scores"]) == len(result.results.records)
    shared = [r for r in rows if r["set"] == "LIVE1" and r["case"] == "Q10" and r["image"] == "a"]
    assert {row["method"] for row in shared} == {"JPEG", "AGARNet", "AGARNet-EST"}
    assert {row["suites"] for row in shared} == {"table2 gain"}
    clean = np.asarray(Image.open(data / "test" / "LIVE1_gray" / "a.png")).astype(float)
    error = np.square(Jpeg(10).compress(clean.astype(np.uint8)) - clean).mean()
    (row,) = [row for row in shared if row["method"] == "JPEG"]
    assert float(row["psnr"]) == pytest.approx(10 * np.log10(255**2 / error), abs=1e-4)
    assert len(row["psnr"]) > 8  # not rounded
    assert "AGARNet (10.2 M) [paper]" in published_rows(result.report)
    assert "published rows" not in report["facts"]
    notes = {comparison.note for comparison in result.report.comparisons}
    assert {"table2, Q10", "mosaic, 10 / 50", "color, Q10"} <= notes


def test_more_video_compression_gives_lower_psnr(clip, small_file, tmp_path, monkeypatch):
    monkeypatch.setattr(suites, "FRAMES", 3)
    (tmp_path / "data" / "video").mkdir(parents=True)
    clip.rename(tmp_path / "data" / "video" / clip.name)
    result = evaluate(
        Settings(weights=small_file, suites=("video",), data_dir=str(tmp_path / "data"))
    )
    (table,) = result.report.tables
    rows = {row[0]: row[1:] for row in table.rows}
    assert table.columns[1:] == tuple(f"{r}M-{q}" for r in ("0.25", "1", "4") for q in (60, 80))
    for name in ("MPEG-2", "pan: MPEG-2"):
        mpeg2, with_jpeg = rows[name], rows[name + ", JPEG"]
        assert mpeg2[0::2] == mpeg2[1::2]
        assert all(a > b > c for a, b, c in zip(mpeg2[::2], with_jpeg[1::2], with_jpeg[::2]))
    assert "AGARNet-EST" in rows


def test_without_out_nothing_is_written(folder, small_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = evaluate(Settings(weights=small_file, images=str(folder), qualities=(10, 40)))
    assert sorted(tmp_path.rglob("*")) == before
    table = result.report.tables[0]
    assert table.columns[:4] == ("Q", "JPEG", "AGARNet", "gain")
    assert [row[0] for row in table.rows] == ["10", "40"]
    for row in table.rows:
        assert row[3] == pytest.approx(row[2] - row[1])


def test_a_second_run_writes_the_same_scores(folder, small_file, tmp_path):
    settings = Settings(
        weights=small_file, images=str(folder), qualities=(10,), out=str(tmp_path / "out")
    )
    evaluate(settings)
    first = (tmp_path / "out" / "scores.csv").read_bytes()
    evaluate(settings)
    assert (tmp_path / "out" / "scores.csv").read_bytes() == first


def test_image_names_need_not_be_utf8(folder, small_file, tmp_path):
    next(folder.iterdir()).rename(folder / os.fsdecode(b"caf\xe9.png"))
    out = tmp_path / "out"
    evaluate(Settings(weights=small_file, images=str(folder), qualities=(10,), out=str(out)))
    assert r"caf\udce9" in (out / "scores.csv").read_text()


def test_a_full_disk_raises_after_the_tables_are_shown(folder, small_file, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def evaluate_until(failing):
        with monkeypatch.context() as on_full_disk:
            on_full_disk.setattr(os, "fsync", full)
            message = f"'{out}/{failing}/.* cannot be written: No space left on device"
            with pytest.raises(atomic_files.UnwritableError, match=message):
                evaluate(settings, show=shown.append)

    out, shown = tmp_path / "out", []
    settings = Settings(weights=small_file, images=str(folder), qualities=(10,), out=str(out))
    evaluate_until("cache")
    assert not shown
    assert not [path for path in out.rglob("*") if path.is_file()]
    evaluate(settings)
    shutil.rmtree(out / "plots")
    evaluate_until("plots")
    (report,) = shown
    assert report.tables
    assert not list((out / "plots").iterdir())


def test_unusable_inputs_are_reported_and_the_rest_is_evaluated(data, few, small_file, tmp_path):
    for path in (data / "test" / "Classic5").iterdir():
        path.unlink()
    broken = data / "test" / "LIVE1_gray" / "b.png"
    broken.write_bytes(broken.read_bytes()[:200])
    text = tmp_path / "text.safetensors"
    text.write_text("no weights")
    (tmp_path / "empty").mkdir()
    result = evaluate(
        Settings(
            weights=small_file,
            suites=("table2",),
            data_dir=str(data),
            other_weights=(f"other={text}", f"again={small_file}"),
            baselines=(f"tool={tmp_path / 'empty'}",),
        )
    )
    warnings = "\n".join(result.report.warnings)
    assert "other: skipped: " in warnings
    assert "Classic5: skipped: " in warnings
    assert f"LIVE1: {broken} skipped: " in warnings
    assert "Baseline tool: missing folder: LIVE1/q10, LIVE1/q40" in warnings
    rows = {row[0]: row[1:] for row in result.report.tables[0].rows}
    assert rows["again"] == rows["AGARNet"]
    assert "other" not in rows


def test_full_range_luma_has_no_published_rows(data, few, small_file):
    result = evaluate(
        Settings(
            weights=small_file,
            suites=("table2",),
            data_dir=str(data),
            luma_range=LumaRange.FULL,
        )
    )
    assert "Classic5: skipped: it holds studio-range luma" in "\n".join(result.report.warnings)
    assert not published_rows(result.report)
    assert "full range" in result.report.facts["luma"]
    assert "published rows" in result.report.facts


@pytest.mark.parametrize("cells", CellPlacement)
def test_the_report_states_whether_steps_are_used(folder, small_file, cells):
    """The released graph has no step detection."""
    settings = Settings(weights=small_file, images=str(folder), qualities=(10,), cells=cells)
    facts = evaluate(settings).report.facts
    expected = "no" if cells is CellPlacement.RELEASED else "if close to the network's estimate"
    assert facts["estimate from traces"] == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": None}, "Set --images=FOLDER, or --suite"),
        ({"suites": ("table2",)}, "set --data_dir=FOLDER"),
        ({"images": "nowhere"}, "'nowhere' is not a directory"),
        ({"weights": "nowhere"}, "neither a file nor a shipped name"),
        ({"baselines": ("nowhere",)}, "--baseline=nowhere is not of the form NAME=PATH"),
        ({"baselines": ("tool=nowhere",)}, "'nowhere' is not a folder"),
        ({"other_weights": ("AGARNet=tiny",)}, "Two methods are named 'AGARNet'"),
        ({"other_weights": ("AGARNet-EST=tiny",)}, "Two methods are named 'AGARNet-EST'"),
    ],
)
def test_invalid_settings_raise_a_one_line_error(folder, small_file, tmp_path, change, message):
    out = tmp_path / "out"
    settings = {"weights": small_file, "images": str(folder), "qualities": (10,)} | change
    with pytest.raises((ValueError, OSError), match=message) as error:
        evaluate(Settings(**settings, out=str(out)))
    assert "\n" not in str(error.value)
    assert not out.exists()


def test_a_missing_extra_is_reported_before_anything_is_computed(
    folder, small_file, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    out = tmp_path / "out"
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'agarnet-jax\[evaluate\]'"):
        evaluate(Settings(weights=small_file, images=str(folder), qualities=(10,), out=str(out)))
    assert not out.exists()


def test_a_negative_gain_is_reported(folder, small_file):
    """Random weights lower PSNR."""
    result = evaluate(Settings(weights=small_file, images=str(folder), qualities=(100,)))
    (line,) = [line for line in result.report.warnings if line.startswith("AGARNet lowers")]
    assert line.startswith("AGARNet lowers PSNR: clean Q100 (-")


def test_missing_sets_are_skipped():
    opened, problems = suites.open_sets(
        suites.SUITES, pathlib.Path("nowhere"), luma_range=LumaRange.STUDIO
    )
    assert opened == {}
    assert len(problems) == 4
    assert all("skipped" in line for line in problems)


def test_the_command_reports_invalid_flags_in_one_line(program, folder, small_file):
    for flag, message in (
        ("--suite=tabel2", "There is no suite 'tabel2'"),
        ("--luma=half", "half"),
    ):
        arguments = ("experiments.evaluate", f"--images={folder}", f"--weights={small_file}")
        result = program(*arguments, flag, fails=True)
        (line,) = result.stderr.strip().splitlines()
        assert message in line


@pytest.mark.parametrize("luma_range", LumaRange)
def test_only_the_colour_suite_uses_rgb(data, luma_range):
    sets, _ = suites.open_sets(suites.SUITES, data, luma_range=luma_range)
    shapes = {name: images.pixels(0).ndim for name, images in sets.items()}
    assert shapes.pop(suites.LIVE1_RGB) == 3
    assert set(shapes.values()) == {2}


def test_limited_sets_have_no_published_rows(data, few, small_file):
    settings = Settings(
        weights=small_file, suites=("table2",), data_dir=str(data), images_per_set=1
    )
    result = evaluate(settings)
    assert not published_rows(result.report)
    assert "published rows" in result.report.facts
    assert result.report.facts["limit"] == "the first 1 images of each set"
