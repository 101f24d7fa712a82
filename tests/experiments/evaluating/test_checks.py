import dataclasses

import pytest

from agarnet_jax.color import LumaRange
from data_pipelines.degradations.jpeg import Jpeg
from experiments.evaluating import checks, published
from experiments.evaluating.records import INPUT, Record, Results
from experiments.evaluating.scoring import Scores
from experiments.evaluating.suites import cases_of


def results_of(values, *, images="LIVE1", count=29, limit=None):
    """Results of the JPEG, where all images have the same scores; `values` has them by quality."""
    cases = [case for case in cases_of("table2") if case.images == images]
    records = [
        Record(images, i, f"{i}", case.degradation, (case,), INPUT, Scores(**values[case.x]))
        for case in cases
        for i in range(count if limit is None else limit)
    ]
    sets = {images: range(count)}  # of a set, only the size matters
    return cases, Results(records, sets, limit=limit)


@pytest.fixture
def known():
    """The reference scores of LIVE1, by quality."""
    values = {quality: {} for quality in published.QUALITIES}
    for row in published.reference_rows():
        single = row.images == "LIVE1" and isinstance(row.degradation, Jpeg)
        if single and row.luma_range is LumaRange.STUDIO:
            values[row.degradation.quality][row.metric] = row.value
    return values


def lines(cases, results, luma_range=LumaRange.STUDIO):
    return checks.check_jpeg_rows(cases, results, luma_range=luma_range)


def test_reference_rows_pass(known):
    assert lines(*results_of(known)) == []


@pytest.mark.parametrize(
    ("metric", "change", "message"),
    [
        ("psnr", 0.02, "JPEG ROW MISMATCH: LIVE1 Q20 psnr is 30.090, expected 30.07"),
        ("ssim_uniform", -0.002, "JPEG ROW MISMATCH: LIVE1 Q20 ssim_uniform is 0.8660, expected"),
        ("psnr_b", 0.02, "JPEG ROW MISMATCH: LIVE1 Q20 psnr_b"),
    ],
)
def test_a_mismatching_row_is_reported(known, metric, change, message):
    known[20][metric] += change
    (line,) = lines(*results_of(known))
    assert line.startswith(message)


def test_a_difference_of_one_in_the_last_decimal_is_accepted(known):
    known[20]["psnr"] += 0.01
    known[20]["ssim_uniform"] += 0.001
    assert lines(*results_of(known)) == []


def test_a_limited_set_is_not_checked(known):
    known[20]["psnr"] = 10.0
    assert lines(*results_of(known, limit=3)) == []


def test_an_unexpected_set_size_is_reported(known):
    (line,) = lines(*results_of(known, count=28))
    assert line.startswith("LIVE1 has 28 images here but 29 in the papers")


def test_full_range_luma_has_its_own_reference_row(known):
    cases, results = results_of(known)
    (line,) = lines(cases, results, LumaRange.FULL)
    assert "LIVE1 Q10 psnr is 27.770, expected 27.02" in line
    known[10]["psnr"] = 27.02
    assert lines(*results_of(known), LumaRange.FULL) == []


def test_cases_of_every_third_image_are_not_checked(known):
    cases = results_of(known)[0]
    every_third = [dataclasses.replace(case, every=3) for case in cases]
    known[20]["psnr"] = 10.0
    assert lines(every_third, results_of(known)[1]) == []
    assert len(lines([*every_third, *cases], results_of(known)[1])) == 1


@pytest.mark.parametrize("luma_range", LumaRange)
def test_colour_is_checked_for_any_luma_range(luma_range):
    known = next(row for row in published.reference_rows() if row.images == published.LIVE1_RGB)
    (case,) = (c for c in cases_of("color") if c.degradation == known.degradation)
    scores = Scores(**{known.metric: known.value + 1})
    records = [
        Record(case.images, index, f"{index}", case.degradation, (case,), INPUT, scores)
        for index in range(29)
    ]
    (line,) = lines([case], Results(records, {case.images: range(29)}), luma_range)
    assert line.startswith(f"JPEG ROW MISMATCH: {published.LIVE1_RGB}")
