import dataclasses

import pytest

from agarnet_jax.color import LumaRange
from data_pipelines.degradations.jpeg import Jpeg
from experiments.evaluating import checks, published
from experiments.evaluating.records import INPUT, Record, Results
from experiments.evaluating.scoring import Scores
from experiments.evaluating.suites import cases_of


class FakeSet:
    """So many images, of which only the number counts."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count


def results_of(values, *, images="LIVE1", count=29, limit=None):
    """Results of the JPEG whose images all have the same scores, by quality."""
    cases = [case for case in cases_of("table2") if case.images == images]
    records = [
        Record(images, index, f"{index}", case.course, (case,), INPUT, Scores(**values[case.x]))
        for case in cases
        for index in range(count if limit is None else limit)
    ]
    return cases, Results(records, {images: FakeSet(count)}, limit=limit)


@pytest.fixture
def known():
    """The scores that are known of LIVE1, by quality."""
    values = {quality: {} for quality in published.QUALITIES}
    for row in published.known_rows():
        single = row.images == "LIVE1" and isinstance(row.degradation, Jpeg)
        if single and row.luma_range is LumaRange.STUDIO:
            values[row.degradation.quality][row.metric] = row.value
    return values


def lines(cases, results, luma_range=LumaRange.STUDIO):
    return checks.jpeg_rows(cases, results, luma_range=luma_range)


def test_known_rows_pass(known):
    assert lines(*results_of(known)) == []


@pytest.mark.parametrize(
    ("metric", "change", "says"),
    [
        ("psnr", 0.02, "JPEG ROW OFF: LIVE1 Q20 psnr is 30.090, known to be 30.07"),
        ("ssim_uniform", -0.002, "JPEG ROW OFF: LIVE1 Q20 ssim_uniform is 0.8660, known"),
        ("psnr_b", 0.02, "JPEG ROW OFF: LIVE1 Q20 psnr_b"),
    ],
)
def test_a_row_that_is_off_is_said(known, metric, change, says):
    known[20][metric] += change
    (line,) = lines(*results_of(known))
    assert line.startswith(says)


def test_the_last_printed_digit_may_differ(known):
    known[20]["psnr"] += 0.01
    known[20]["ssim_uniform"] += 0.001
    assert lines(*results_of(known)) == []


def test_a_part_of_a_set_is_not_compared(known):
    known[20]["psnr"] = 10.0
    assert lines(*results_of(known, limit=3)) == []


def test_a_set_of_another_size_is_said(known):
    (line,) = lines(*results_of(known, count=28))
    assert line.startswith("LIVE1 has 28 images here and 29 in the papers")


def test_full_range_luma_has_a_row_of_its_own(known):
    cases, results = results_of(known)
    (line,) = lines(cases, results, LumaRange.FULL)
    assert "LIVE1 Q10 psnr is 27.770, known to be 27.02" in line
    known[10]["psnr"] = 27.02
    assert lines(*results_of(known), LumaRange.FULL) == []


def test_subsets_between_are_not_taken_for_the_set(known):
    cases = results_of(known)[0]
    every_third = [dataclasses.replace(case, every=3) for case in cases]
    known[20]["psnr"] = 10.0
    assert lines(every_third, results_of(known)[1]) == []
    assert len(lines([*every_third, *cases], results_of(known)[1])) == 1


@pytest.mark.parametrize("luma_range", LumaRange)
def test_colour_is_compared_whatever_luma_is_asked_for(luma_range):
    known = next(row for row in published.known_rows() if row.images == published.LIVE1_RGB)
    (case,) = (c for c in cases_of("color") if c.course == known.degradation)
    scores = Scores(**{known.metric: known.value + 1})
    records = [
        Record(case.images, index, f"{index}", case.course, (case,), INPUT, scores)
        for index in range(29)
    ]
    (line,) = lines([case], Results(records, {case.images: FakeSet(29)}), luma_range)
    assert line.startswith(f"JPEG ROW OFF: {published.LIVE1_RGB}")
