import re

import numpy as np
import pytest

from agarnet_jax.color import LumaRange
from agarnet_jax.metrics import Rounding
from agarnet_jax.models import CellPlacement
from agarnet_jax.restoration import QualitySource, Restorer
from agarnet_jax.restoration.consistency import project
from data_pipelines.degradations.jpeg import Jpeg
from data_pipelines.degradations.mosaic import halves
from experiments.evaluating import models, running
from experiments.evaluating.baselines import open_baseline
from experiments.evaluating.cache import Cache
from experiments.evaluating.inputs import open_still_images
from experiments.evaluating.models import RestorationOptions
from experiments.evaluating.running import EvaluationRun
from experiments.evaluating.scoring import score
from experiments.evaluating.suites import ALL_VARIANTS, Case, jpeg_cases

CASES = jpeg_cases("own", "mine", (10, 60), ALL_VARIANTS)


@pytest.fixture
def make_run(folder, small_file):
    def make_run(cache=None, cells=CellPlacement.PLACED, **options):
        images = open_still_images("mine", folder, luma_range=LumaRange.STUDIO)
        network = models.load("AGARNet", small_file, cells=cells)
        defaults = {
            "networks": [network],
            "restoration": RestorationOptions(),
            "rounding": Rounding.ROUND,
        }
        return EvaluationRun({"mine": images}, cache=Cache(cache), **defaults | options)

    return make_run


def test_scores_match_a_step_by_step_computation(make_run, photos, small_weights):
    rounding = Rounding.TRUNCATE
    results, problems = make_run(rounding=rounding).results(CASES)
    assert problems == []
    assert results.methods(CASES) == ["JPEG", "AGARNet", "AGARNet-EST", "AGARNet-ESP"]
    restorer = Restorer(small_weights)
    for case in CASES:
        for index, clean in enumerate(photos.values()):
            degraded = case.degradation.compress(clean)
            found = {name: results.scores(case, name)[index] for name in results.methods([case])}
            assert found["JPEG"] == score(degraded, clean, rounding=rounding)
            image = (degraded / 255).astype(np.float32)
            for name, quality in (
                ("AGARNet", float(case.x)),
                ("AGARNet-EST", QualitySource.IMAGE),
                ("AGARNet-ESP", QualitySource.MAP),
            ):
                restored = restorer.restore(image, quality=quality)
                expected = score(restored.image, clean, rounding=rounding)
                # Programs for one and two devices differ in summation order.
                assert found[name].psnr == pytest.approx(expected.psnr, abs=0.01)
                if isinstance(quality, QualitySource):
                    mean = restored.quality_map.mean()
                    assert found[name].estimate == pytest.approx(mean, rel=1e-4)
                else:
                    assert found[name].estimate is None


def test_ensemble_and_consistency_are_applied(make_run, photos, small_weights):
    restoration = RestorationOptions(ensemble=True, consistent=True)
    case = jpeg_cases("own", "mine", (20,), ALL_VARIANTS[:1])[0]
    results, _ = make_run(restoration=restoration).results([case])
    degraded = Jpeg(20).compress(photos["b"])
    image = (degraded / 255).astype(np.float32)
    restored = Restorer(small_weights).restore(image, quality=20.0, ensemble=8).image
    projected = project(restored, degraded=degraded, table=Jpeg(20).table)
    found = results.scores(case, "AGARNet")[1].psnr
    scores = [score(x, photos["b"], rounding=Rounding.ROUND).psnr for x in (projected, restored)]
    assert found == pytest.approx(scores[0], abs=0.01)
    assert abs(scores[0] - scores[1]) > 0.05


def test_a_mosaic_is_restored_with_its_true_map(make_run, photos, small_weights):
    degradation = halves(10, 80)
    case = Case("mosaic", "mine", degradation, "10 / 80", "mosaic", ALL_VARIANTS)
    run = make_run()
    results, _ = run.results([case])
    degraded = degradation.apply(photos["a"])
    assert np.ptp(degraded.quality) > 50
    given = run.restore_image(case, 0)[1]["AGARNet"].quality  # random weights hardly depend on it
    np.testing.assert_array_equal(given, degraded.quality)
    image = (degraded.image / 255).astype(np.float32)
    restored = Restorer(small_weights).restore(image, quality=degraded.quality).image
    expected = score(restored, photos["a"], rounding=Rounding.ROUND).psnr
    assert results.scores(case, "AGARNet")[0].psnr == pytest.approx(expected, abs=0.01)


def test_a_second_run_computes_nothing(make_run, tmp_path, monkeypatch):
    first, _ = make_run(cache=tmp_path / "cache").results(CASES)

    def refuse(*_, **__):
        raise AssertionError("computed again")

    again = make_run(cache=tmp_path / "cache")
    monkeypatch.setattr(running, "score", refuse)
    monkeypatch.setattr(running.models, "compute_outputs", refuse)
    monkeypatch.setattr(Jpeg, "compress", refuse)
    second, _ = again.results(CASES)
    assert second.records == first.records
    more = jpeg_cases("own", "mine", (10, 61), ALL_VARIANTS)
    with pytest.raises(AssertionError, match="computed again"):
        again.results(more)


@pytest.mark.parametrize("other", ["rounding", "cells", "ensemble", "consistent", "use_traces"])
def test_a_different_protocol_is_computed_again(make_run, tmp_path, other):
    make_run(cache=tmp_path).results(CASES[:1])
    count = len(list(tmp_path.rglob("*.json")))
    options = {
        "rounding": {"rounding": Rounding.TRUNCATE},
        "cells": {"cells": CellPlacement.RELEASED},
        "ensemble": {"restoration": RestorationOptions(ensemble=True)},
        "consistent": {"restoration": RestorationOptions(consistent=True)},
        "use_traces": {"restoration": RestorationOptions(use_traces=False)},
    }[other]
    run = make_run(cache=tmp_path, **options)
    units = run._units(CASES[:1])
    missing = [
        method for unit in units for method in run._missing_methods(unit, run._cached_scores(unit))
    ]
    # Of four methods, only the input itself is independent of the options other than rounding. Step
    # detection also affects non-blind restoration, since it undoes recompressions.
    assert len(missing) == count * (4 if other == "rounding" else 3) // 4


def test_an_interrupted_run_continues_from_the_cache(make_run, tmp_path, monkeypatch):
    expected, _ = make_run().results(CASES)
    put, stored = Cache.put, []

    def killed(self, key, scores):
        if len(stored) == 7:
            raise KeyboardInterrupt
        stored.append(key)
        put(self, key, scores)

    with monkeypatch.context() as patched:
        patched.setattr(Cache, "put", killed)
        with pytest.raises(KeyboardInterrupt):
            make_run(cache=tmp_path / "cache").results(CASES)
    added = []
    monkeypatch.setattr(
        Cache, "put", lambda self, key, scores: (added.append(key), put(self, key, scores))
    )
    results, _ = make_run(cache=tmp_path / "cache").results(CASES)
    assert len(added) == len(expected.records) - 7
    assert not [key for key in added if key in stored]
    assert results.records == expected.records


def test_cases_shared_by_two_suites_are_computed_once(make_run, tmp_path):
    shared = [*CASES, *jpeg_cases("other", "mine", (10,), ALL_VARIANTS[:2], every=2)]
    results, _ = make_run(cache=tmp_path).results(shared)
    assert len(list(tmp_path.rglob("*.json"))) == 2 * 3 * 4
    assert {record.suites for record in results.records} == {"own", "own other"}
    assert [s.psnr for s in results.scores(shared[2], "AGARNet")] == [
        s.psnr for s in results.scores(CASES[0], "AGARNet")[::2]
    ]


def test_the_limit_restricts_each_set(make_run):
    results, _ = make_run(limit=2).results(CASES)
    assert results.indices(CASES[0]) == range(2)
    assert results.size(CASES[0]) == 3
    assert len(results.scores(CASES[0], "JPEG")) == 2


def test_images_too_small_for_the_estimator_are_still_restored_non_blind(make_run):
    results, problems = make_run(cells=CellPlacement.RELEASED).results(CASES)
    (line,) = {line.split(" on ")[1] for line in problems}
    assert "no whole 64×64 cell" in line
    assert results.mean(CASES[0], "AGARNet-EST", "psnr") is None
    assert results.mean(CASES[0], "AGARNet", "psnr") is not None  # non-blind: no estimator
    assert results.mean(CASES[0], "JPEG", "psnr") > 20


def test_restore_image_omits_methods_that_fail(make_run):
    _, outputs = make_run(cells=CellPlacement.RELEASED).restore_image(CASES[0], 0)
    assert list(outputs) == ["AGARNet"]


def test_the_order_of_methods_does_not_depend_on_the_cache(make_run, small_file, tmp_path):
    """One network replaces the first, and another is added."""
    other = models.load("other", small_file, cells=CellPlacement.PLACED)
    first = models.load("AGARNet", "tiny", cells=CellPlacement.PLACED)
    case = jpeg_cases("own", "mine", (10,), ALL_VARIANTS[:1])
    make_run(cache=tmp_path).results(case)
    results, _ = make_run(cache=tmp_path, networks=[first, other]).results(case)
    assert results.methods(case) == ["JPEG", "AGARNet", "other"]


@pytest.fixture
def restored_elsewhere(tmp_path, photos, save):
    """The output of a tool that brightens every level by two, at quality 10 only."""
    path = tmp_path / "tool"
    for name, image in photos.items():
        brighter = np.minimum(image.astype(int) + 2, 255).astype(np.uint8)
        save(path / "q10" / f"{name}.png", np.stack([brighter] * 3, axis=-1))  # gray as colour
    return path


def with_baseline(make_run, path, cases=CASES):
    only_case = len(cases) == 1
    return make_run(baselines=[open_baseline(f"tool={path}", only_case=only_case)]).results(cases)


def test_a_baseline_is_scored_by_case(make_run, restored_elsewhere, photos):
    results, problems = with_baseline(make_run, restored_elsewhere)
    expected = [20 * np.log10(255 / 2) if x.max() < 254 else None for x in photos.values()]
    for found, value in zip(results.scores(CASES[0], "tool"), expected):
        assert value is None or found.psnr == pytest.approx(value, abs=1e-4)
    assert results.mean(CASES[1], "tool", "psnr") is None
    assert problems == ["Baseline tool: missing folder: mine/q60; its mean is omitted there."]


def test_a_single_case_needs_no_subfolder(make_run, restored_elsewhere):
    results, problems = with_baseline(make_run, restored_elsewhere / "q10", CASES[:1])
    assert problems == []
    assert results.mean(CASES[0], "tool", "psnr") > 40


def test_a_single_case_does_not_use_the_folders_of_others(make_run, restored_elsewhere):
    (restored_elsewhere / "q10").rename(restored_elsewhere / "q20")
    results, problems = with_baseline(make_run, restored_elsewhere, CASES[:1])
    assert problems == ["Baseline tool: missing folder: mine/q10; its mean is omitted there."]
    assert results.mean(CASES[0], "tool", "psnr") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("size", r"size differs from the reference: mine/q10/b \(48×65 instead of 48×64\)"),
        ("name", "missing image: mine/q10/b"),
        ("text", r"unreadable image \(not an image\): mine/q10/b"),
        ("colour", r"size differs from the reference: mine/q10/b \(48×64×3 instead of 48×64\)"),
    ],
)
def test_an_unusable_baseline_image_is_reported(
    make_run, restored_elsewhere, save, change, message
):
    path = restored_elsewhere / "q10" / "b.png"
    if change == "size":
        save(path, np.zeros((48, 65), np.uint8))
    elif change == "name":
        path.rename(path.with_name("b_restored.png"))
    elif change == "text":
        path.write_text("no image")
    else:
        save(path, np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))
    results, (line,) = with_baseline(make_run, restored_elsewhere, CASES[:1])
    assert re.fullmatch(f"Baseline tool: {message}; its mean is omitted there.", line)
    assert results.mean(CASES[0], "tool", "psnr") is None  # not the mean of the other two
    assert results.mean(CASES[0], "AGARNet", "psnr") is not None


def test_a_baseline_is_scored_when_all_else_is_cached(make_run, restored_elsewhere, tmp_path):
    make_run(cache=tmp_path / "cache").results(CASES[:1])
    tool = open_baseline(f"tool={restored_elsewhere}", only_case=True)
    results, problems = make_run(cache=tmp_path / "cache", baselines=[tool]).results(CASES[:1])
    assert problems == []
    assert results.mean(CASES[0], "tool", "psnr") > 40


def test_steps_are_used_only_if_enabled(make_run, small_weights):
    run = make_run(restoration=RestorationOptions(use_traces=False))
    degraded, outputs = run.restore_image(CASES[1], 0)
    image = degraded.image.astype(np.float32) / 255
    plain = Restorer(small_weights, use_traces=False).estimate(image)[QualitySource.IMAGE]
    steps = Restorer(small_weights).estimate(image)[QualitySource.IMAGE]
    assert plain != steps  # otherwise this test shows nothing
    assert outputs["AGARNet-EST"].quality == plain
