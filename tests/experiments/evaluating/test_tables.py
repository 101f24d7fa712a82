import dataclasses

import pytest

from experiments.evaluating import comparisons, tables
from experiments.evaluating.records import INPUT, Record, Results
from experiments.evaluating.report_parts import Gain, Table
from experiments.evaluating.scoring import Scores
from experiments.evaluating.suites import OWN, SUITES, cases_of

METHODS = (INPUT, "AGARNet", "AGARNet-EST", "AGARNet-ESP")
SIZES = {"LIVE1": 29, "Classic5": 5, "LIVE1 RGB": 29}


@pytest.fixture(scope="module")
def all_cases():
    return [case for suite in SUITES for case in cases_of(suite, ["pan"])]


@pytest.fixture(scope="module")
def results(all_cases):
    """PSNR of 30, 31, 32, 33 dB by method; estimates alternate between one above and one below."""
    records = []
    for case in all_cases:
        for rank, method in enumerate(METHODS[: 1 + 3 * bool(case.variants)]):
            for index in range(0, SIZES.get(case.images, 30), case.every):
                estimate = (case.x or 50) + (-1) ** index if rank > 1 else None
                scores = Scores(
                    psnr=30.0 + rank,
                    ssim_uniform=0.9,
                    ssim_gaussian=0.8,
                    psnr_b=29.0 + rank,
                    estimate=estimate,
                )
                args = (case.images, index, f"{index}", case.degradation, (case,), method, scores)
                records.append(Record(*args))
    # Of a set, only the size matters.
    sets = {case.images: range(SIZES.get(case.images, 30)) for case in all_cases}
    return Results(records, sets)


def table_of(suite, all_cases, results, index=0, paper=True):
    cases = [case for case in all_cases if case.suite == suite]
    return tables.make_tables(suite, cases, results, paper=paper)[index]


def rows(table):
    return {row[0]: row[1:] for row in table.rows}


def test_table_2_has_our_rows_and_the_papers(all_cases, results):
    table = table_of("table2", all_cases, results)
    assert table.columns == ("method", *(f"Q{q}" for q in range(10, 81, 10)))
    found = rows(table)
    assert found["AGARNet"] == ("31.00/.900",) * 8
    assert found["AGARNet (10.2 M) [paper]"][0] == "29.64/.837"
    assert found["AGARNet (10.2 M) [paper]"][7] == "38.81/.973"
    assert found["JPEG [paper]"][0] == "27.77/.791"
    assert found["FBCNN (71.9 M) [published]"] == ("29.75", "32.13", "33.54", "34.53", *[None] * 4)
    assert "mean of 29 image(s)" in table.note
    without = table_of("table2", all_cases, results, paper=False)
    assert not [name for name in rows(without) if "[" in name]


def test_estimates_are_mean_and_standard_deviation(all_cases, results):
    found = rows(table_of("table2", all_cases, results, index=-1))
    assert found["Classic5 AGARNet-EST"][0] == "10.20 ± 0.98"  # of 11, 9, 11, 9, 11
    assert found["LIVE1 Q_EST [paper]"][0] == "10.32 ± 0.99"


def test_the_gain_table_states_the_number_of_images(all_cases, results):
    found = rows(table_of("gain", all_cases, results))
    assert found["10"] == ("29", 30.0, 1.0, 2.0, 3.0, 1.85)
    assert found["100"] == ("10", 30.0, 1.0, 2.0, 3.0, None)


def test_double_jpeg_tables_state_their_protocol(all_cases, results):
    double = rows(table_of("double", all_cases, results))
    assert double["JPEG [reference]"][0] == 27.49
    assert double["FBCNN [published]"][1] is None  # (50, 10)
    table = table_of("table3", all_cases, results)
    assert "approximate protocol" in table.title
    assert "mean of 10 of 29 images" in table.note
    assert "by column: 20→60, 20→80" in table.note
    assert rows(table)["AGARNet-EST [paper]"][0] == 31.70


def test_the_video_table_states_what_differs_from_the_paper(all_cases, results):
    table = table_of("video", all_cases, results)
    found = rows(table)
    at = table.columns.index("1M-60") - 1
    assert found["MPEG-2"] == (30.0,) * 6
    assert found["AGARNet-ESP [paper]"][at] == 35.57
    assert found["AGARNet-ESP [paper]"][0] is None  # the paper has no 0.25 Mbit/s
    assert found["pan: AGARNet-ESP"][at] == 33.0
    assert "Not the paper's clip" in table.note


def test_colour_and_mosaic_tables_have_their_rows(all_cases, results):
    color = rows(table_of("color", all_cases, results))
    assert color["JPEG [reference]"] == (25.69, None, 30.28)
    mosaic = table_of("mosaic", all_cases, results)
    assert mosaic.columns[1:] == ("10 / 50", "20 / 80", "60 / 30")
    assert list(rows(mosaic)) == list(METHODS)


def test_a_mean_with_a_missing_score_is_none(all_cases, results):
    cases = [case for case in all_cases if case.suite == "color"]
    without = [
        record
        for record in results.records
        if not (record.images == "LIVE1 RGB" and record.index == 3 and record.method == "AGARNet")
    ]
    found = Results(without, {"LIVE1 RGB": range(29)})
    assert rows(tables.make_tables("color", cases, found, paper=False)[0])["AGARNet"] == (None,) * 3


def test_other_metrics_have_their_own_tables_if_available(all_cases, results):
    cases = [case for case in all_cases if case.suite == "color"]
    others = tables.make_tables(OWN, cases, results, paper=False)[1:]
    assert [rows(table)["AGARNet"][0] for table in others] == pytest.approx([30.0, 0.9, 0.8])
    assert [table.decimals for table in others] == [2, 3, 3]
    records = [
        dataclasses.replace(record, scores=Scores(psnr=record.scores.psnr))
        for record in results.records
    ]
    without = Results(records, {"LIVE1 RGB": range(29)})
    assert len(tables.make_tables(OWN, cases, without, paper=False)) == 1


def test_every_suite_has_its_cases_and_tables(all_cases, results):
    assert {case.suite for case in all_cases} == {*SUITES}
    for suite in ("tabel2", "live1"):
        with pytest.raises(KeyError, match=suite):
            cases_of(suite)
        with pytest.raises(KeyError, match=suite):
            tables.make_tables(suite, all_cases, results, paper=False)


def test_markdown_is_aligned():
    table = Table("T", ("Q", "JPEG", "gain"), (("5", 27.774, Gain(1)), ("100", None, None)), "N.")
    assert tables.markdown(table).splitlines() == [
        "### T",
        "",
        "|    Q |  JPEG |  gain |",
        "|-----:|------:|------:|",
        "|    5 | 27.77 | +1.00 |",
        "|  100 |     – |     – |",
        "",
        "N.",
    ]
    names = Table("T", ("method", "Q10"), (("JPEG", 1.0), ("a", 0.25)), decimals=3)
    assert tables.markdown(names).splitlines()[2:] == [
        "| method |   Q10 |",
        "|--------|------:|",
        "| JPEG   | 1.000 |",
        "| a      | 0.250 |",
    ]


def test_subsampled_suites_have_no_published_rows(all_cases, results):
    for suite, columns in (("double", 11), ("color", 3)):
        cases = cases_of(suite, in_all=True)
        (table,) = tables.make_tables(suite, cases, results, paper=True)
        assert "mean of 10 of 29 images" in table.note
        assert {*rows(table)} == {INPUT, "AGARNet", "AGARNet-EST", "AGARNet-ESP"}
        assert rows(table)["AGARNet-EST"] == (32.0,) * columns
        assert len(table_of(suite, all_cases, results).rows) > len(table.rows)
    assert cases_of("table2", in_all=True) == cases_of("table2")


def test_the_limit_counts_the_images_that_a_case_uses(all_cases):
    case = next(case for case in all_cases if case.every == 3)
    sets = {case.images: range(29)}
    assert Results([], sets, limit=4).indices(case) == range(0, 12, 3)
    assert Results([], sets).indices(case) == range(0, 29, 3)


def test_the_image_with_the_smallest_gain_is_chosen_by_its_index_in_the_set(all_cases):
    (case, *_) = (case for case in all_cases if case.suite == "mosaic")  # every third image
    records = [
        Record(case.images, i, f"{i}", case.degradation, (case,), method, Scores(psnr=psnr))
        for i in range(0, 29, 3)
        for method, psnr in ((INPUT, 30.0), ("AGARNet-EST", 29.0 if i == 21 else 31.0))
    ]
    results = Results(records, {case.images: range(29)})
    assert comparisons.choose([case], results) == [(case, 21)]
