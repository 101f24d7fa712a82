"""The loop on a two-device mesh with a small restorer and synthetic batches."""

import contextlib
import dataclasses
import itertools
import json
import math
import signal
import time

import jax
import numpy as np
import pytest

from agarnet_jax.checkpoint import CheckpointError, Checkpoints
from agarnet_jax.models import AGARNetConfig, EstimatorConfig
from agarnet_jax.sharding import global_batch, make_mesh, replicate
from agarnet_jax.training import loop
from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.optimizer import learning_rates
from agarnet_jax.training.optimizer_config import ScheduleConfig
from agarnet_jax.training.signals import Interrupted
from agarnet_jax.training.step import make_train_step, unit_range
from agarnet_jax.training.tasks import EstimationTask, RestorationTask
from agarnet_jax.training.warm_start import InitialFit

SMALL = AGARNetConfig(
    pixel_features=2,
    dct_features=2,
    gate_features=4,
    dct_blocks=1,
    encoder1_blocks=0,
    encoder2_blocks=0,
    encoder4_blocks=1,
    decoder2_blocks=0,
    decoder2_gated_blocks=1,
    decoder1_blocks=0,
    decoder1_gated_blocks=1,
    # Of all formulations those that are traced and compiled fastest.
    conv2d="native",
    conv3d="native",
)
CONFIG = TrainConfig(
    steps=4,
    batch_size=2,
    warmup_steps=1,
    ema_decay=0.2,  # 2/11 and 3/12, of the first steps, are around it
    log_every=1,
    eval_every=2,
    checkpoint_every=2,
)


def batch(number, size=16):
    rng = np.random.default_rng(number)
    clean = rng.random((2, size, size, 1), np.float32)
    return {
        "clean": clean,
        "degraded": np.clip(clean + rng.normal(0, 0.1, clean.shape), 0, 1).astype(np.float32),
        "quality": np.full((2, 1, 1, 1), 20 + number, np.float32),
        "tables": np.full((2, 1, 1, 64), 20 + number, np.uint8),
        "metadata": np.array(["what", "happened"]),
    }


def batches_from(start):
    return (batch(number) for number in itertools.count(start))


def held_out():
    for quality in (10, 80):
        yield f"q{quality}", batch(quality) | {"weight": np.array([1, 0], np.float32)}


def train(workdir, *, task=None, config=CONFIG, **options):
    defaults = {"batches_from": batches_from, "eval_batches": held_out}
    options = defaults | {"resolved_config": {"any": "thing"}} | options
    return loop.train(
        task or RestorationTask(SMALL, 0.1),
        config=config,
        workdir=str(workdir),
        **options,
    )


def lines(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    return workdir, train(workdir)


def test_runs_on_every_device():
    assert jax.device_count() == 2


def test_two_and_two_steps_equal_four_bit_for_bit(whole_run, tmp_path):
    _, expected = whole_run
    first = train(tmp_path, stop_at=2)
    assert int(first.step) == 2
    resumed = train(tmp_path)
    assert int(resumed.step) == 4
    jax.tree.map(np.testing.assert_array_equal, resumed, expected)


def test_a_finished_run_is_left_as_it_is(whole_run):
    workdir, expected = whole_run
    before = lines(workdir)
    again = train(workdir)
    jax.tree.map(np.testing.assert_array_equal, again, expected)
    assert lines(workdir) == before


def test_what_changed_since_a_run_was_begun_is_said(tmp_path, capsys):
    train(tmp_path, stop_at=2, resolved_config={"seed": 1, "sizes": (1, 2), "same": 3})
    train(tmp_path, stop_at=1, resolved_config={"seed": 2, "sizes": (1, 2), "same": 3})
    said = "".join(capsys.readouterr())
    assert "Begun with config.seed = 1, not 2 as now." in said
    assert "Nothing to do: step 1 has been passed." in said


def test_other_images_than_a_run_was_begun_with_are_said(tmp_path, capsys):
    def said(step, **images):
        config = {"seed": 1} | ({"images": images} if images else {})
        train(tmp_path, stop_at=step, resolved_config=config)
        lines = "".join(capsys.readouterr()).splitlines()
        return [line for line in lines if line.startswith("Begun")]

    assert said(1) == []
    assert said(2, training="12 images\nabc", held="none") == []  # what saved it did not tell
    assert said(3, training="13 images\nabd", held="none") == [
        "Begun with other training images than now: 12 images, now 13 images."
    ]
    assert said(4, training="13 images\nabd", held="none") == []


def test_weights_to_start_from_are_for_a_start_alone(tmp_path, whole_run):
    def saved(step):
        with contextlib.closing(Checkpoints(tmp_path / "checkpoints")) as checkpoints:
            return checkpoints.config(step)

    params = jax.tree.map(np.asarray, whole_run[1].params)
    train(tmp_path, stop_at=1, resolved_config={"init_from": "a"}, initial_params=params)
    train(tmp_path, stop_at=2, resolved_config={"init_from": "a"})  # the same command again
    train(tmp_path, stop_at=3, resolved_config={"init_from": "", "seed": 1})
    assert saved(3) == {"init_from": "a", "seed": 1}
    train(tmp_path, stop_at=4, resolved_config={"init_from": "elsewhere/a"})  # moved, or a host's
    assert saved(4)["init_from"] == "a"
    with pytest.raises(CheckpointError, match=r"init_from is 'b', but .* began with 'a' and"):
        train(tmp_path, resolved_config={"init_from": "b"})


def test_parameters_and_their_average_move(whole_run, tmp_path):
    _, state = whole_run
    start = train(tmp_path, stop_at=1)
    for tree, earlier in ((state.params, start.params), (state.ema_params, start.ema_params)):
        moved = jax.tree.map(lambda a, b: bool((a != b).any()), tree, earlier)
        assert all(jax.tree.leaves(moved))


def test_the_average_follows_its_formula(tmp_path):
    states = [train(tmp_path, stop_at=step) for step in (1, 2, 3)]
    for step, (earlier, state) in enumerate(itertools.pairwise(states), start=1):
        decay = min(0.2, (1 + step) / (10 + step))
        jax.tree.map(
            lambda mean, before, now, decay=decay: np.testing.assert_allclose(
                mean, decay * before + (1 - decay) * now, rtol=1e-5, atol=1e-7
            ),
            state.ema_params,
            earlier.ema_params,
            state.params,
        )


def test_runs_of_other_rates_and_lengths_share_the_program(whole_run):
    """So that a trial of a sweep, or a longer run, finds it in the compilation cache."""
    _, state = whole_run
    mesh = make_mesh()

    def program(**changes):
        config = dataclasses.replace(CONFIG, **changes)
        step = make_train_step(RestorationTask(SMALL, 0.1), config, mesh)
        rate = replicate(next(learning_rates(config)), mesh)
        return step.lower(state, global_batch(batch(0), mesh), rate).as_text()

    same = {"learning_rate": 0.1, "steps": 9, "warmup_steps": 2, "seed": 5}
    assert program(**same, schedule=ScheduleConfig("steps")) == program()
    assert program(clip_norm=2.0) != program()


def test_each_step_is_taken_at_its_rate(tmp_path):
    """Zero before the warm-up; from then on as far as the rate tells, with Adam's first update."""
    start = train(tmp_path / "start", stop_at=1)
    fixed = dataclasses.replace(CONFIG, schedule=ScheduleConfig("constant"))
    near, far = (
        train(
            tmp_path / str(rate), config=dataclasses.replace(fixed, learning_rate=rate), stop_at=2
        )
        for rate in (1e-4, 3e-4)
    )
    jax.tree.map(
        lambda a, b, c: np.testing.assert_allclose(c - a, 3 * (b - a), rtol=0.01, atol=1e-6),
        start.params,
        near.params,
        far.params,
    )


def test_averaged_parameters_are_evaluated(whole_run):
    workdir, state = whole_run
    task = RestorationTask(SMALL, 0.1)
    (row,) = [row for row in lines(workdir) if row["step"] == 4 and "eval/psnr/q10" in row]
    shown = unit_range(batch(10))
    averaged, latest = (
        float(task.metrics(task.apply(params, shown), shown)["psnr"][0])  # no weight on the second
        for params in (state.ema_params, state.params)
    )
    assert abs(averaged - latest) > 1e-4
    assert row["eval/psnr/q10"] == pytest.approx(averaged, abs=1e-5)


def test_the_learning_rate_of_each_step_is_logged(whole_run):
    workdir, _ = whole_run
    rates = [row["train/learning_rate"] for row in lines(workdir) if "train/learning_rate" in row]
    # One step of warm-up from 0, then a cosine from the peak over the other three.
    shares = [0, 1, *(0.01 + 0.99 * (1 + math.cos(math.pi * k / 3)) / 2 for k in (1, 2))]
    assert rates == pytest.approx([1e-3 * share for share in shares], rel=1e-5)


def test_metrics_are_logged_as_json_lines_and_tensorboard_events(whole_run):
    workdir, _ = whole_run
    rows = lines(workdir)
    trained = [row for row in rows if "train/loss" in row]
    assert [row["step"] for row in trained] == [1, 2, 3, 4]
    for name in ("pixels_per_second", "learning_rate", "gradient_norm"):
        assert all(np.isfinite(row[f"train/{name}"]) for row in trained)
    for row in trained:
        shares = [row[f"train/{name}_share"] for name in ("data_wait", "compute", "host")]
        assert sum(shares) == pytest.approx(1)
        assert all(0 <= share <= 1 for share in shares)
        assert row["train/skipped_updates"] == 0
    assert trained[0]["train/compilations"] >= 1
    evaluated = [row for row in rows if "eval/psnr_gain" in row]
    assert [row["step"] for row in evaluated] == [2, 4]
    assert "eval/psnr/q10" in evaluated[0]
    assert list(workdir.glob("events.out.tfevents.*"))


def test_the_order_is_evaluate_save_next_batch_step_log(tmp_path, monkeypatch):
    events = []

    def spy(owner, name, event):
        original = getattr(owner, name)

        def wrapper(*args, **kwargs):
            events.append(event)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, wrapper)

    spy(loop, "evaluate", "evaluate")
    spy(loop.Checkpoints, "save", "save")
    spy(loop, "global_batch", "step")
    spy(loop.Observers, "log", "log")

    def noting_batches(start):
        for item in batches_from(start):
            events.append("next batch")
            yield item

    train(tmp_path, batches_from=noting_batches)
    one_step = ["next batch", "step", "log"]
    assert events == 2 * [*one_step, *one_step, "evaluate", "save"]


def test_starts_from_given_parameters_and_names_those_that_do_not_fit(whole_run, tmp_path):
    _, trained = whole_run
    params = jax.tree.map(np.asarray, trained.params)
    still = TrainConfig(**(vars(CONFIG) | {"learning_rate": 0.0}))
    state = train(tmp_path / "a", config=still, initial_params=params, stop_at=1)
    jax.tree.map(np.testing.assert_array_equal, state.params, params)

    params["blend"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"blend: \(3,\), the model has \(2,\)"):
        train(tmp_path / "b", initial_params=params)


def test_padding_images_do_not_count(whole_run, tmp_path):
    workdir, _ = whole_run
    train(tmp_path, eval_batches=lambda: spoiled_with_zero(held_out()))
    rows = [[r for r in lines(d) if "eval/psnr" in r][-1] for d in (workdir, tmp_path)]
    assert rows[0]["eval/psnr"] == pytest.approx(rows[1]["eval/psnr"], abs=1e-6)


def spoiled_with_zero(batches):
    """The same batches with other pixels where the weight is 0."""
    for quality, item in batches:
        item["degraded"][1] = 0
        yield quality, item


def test_a_batch_that_devices_cannot_share_is_named(tmp_path):
    config = TrainConfig(**(vars(CONFIG) | {"batch_size": 3}))
    with pytest.raises(ValueError, match=r"batch_size is 3.*2 devices.*multiple of 2"):
        train(tmp_path, config=config)


def test_the_estimator_learns_by_the_same_loop(tmp_path):
    task = EstimationTask(EstimatorConfig(features=(2, 2, 2, 2)))
    state = train(
        tmp_path,
        task=task,
        batches_from=lambda start: (batch(n, size=64) for n in itertools.count(start)),
        eval_batches=None,
    )
    assert int(state.step) == 4
    assert all("train/mean_absolute_error" in row for row in lines(tmp_path))


def test_evaluations_are_told_before_they_are_saved_and_may_end_the_run(whole_run, tmp_path):
    told = []

    def stop_at_the_second(step, score):
        told.append((step, score))
        if len(told) == 2:
            raise LookupError("pruned")

    with pytest.raises(LookupError):
        train(tmp_path, on_evaluation=stop_at_the_second)
    rows = [row for row in lines(whole_run[0]) if "eval/psnr_gain" in row]
    assert told == [(row["step"], row["eval/psnr_gain"]) for row in rows]
    saved = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert saved == {"2"}


def test_leaving_early_adds_no_evaluation(tmp_path):
    """Else where a run was interrupted would decide which checkpoint is its best."""
    told = []
    train(tmp_path, stop_at=3, on_evaluation=lambda step, _: told.append(step))
    assert told == [2]
    train(tmp_path, on_evaluation=lambda step, _: told.append(step))
    assert told == [2, 4]


def test_a_run_stopped_in_its_evaluation_evaluates_again(whole_run, tmp_path):
    _, expected = whole_run

    def interrupting():
        signal.raise_signal(signal.SIGTERM)
        time.sleep(1)  # for the thread that receives it
        yield from held_out()

    with pytest.raises(Interrupted) as stopped:
        train(tmp_path, eval_batches=interrupting)
    assert stopped.value.code == 143
    told = []
    state = train(tmp_path, on_evaluation=lambda step, _: told.append(step))
    assert told == [2, 4]
    jax.tree.map(np.testing.assert_array_equal, state, expected)
    assert [row["step"] for row in lines(tmp_path) if "train/loss" in row] == [1, 2, 3, 4]
    assert [row["step"] for row in lines(tmp_path) if "eval/psnr" in row] == [2, 4]


def spoiled(start, numbers):
    """The batches, those of `numbers` with a pixel that is no number."""
    for number in itertools.count(start):
        item = batch(number)
        if number in numbers:
            item["degraded"][0, 0, 0, 0] = np.nan
        yield item


def test_a_batch_with_no_finite_loss_changes_nothing_but_the_step(tmp_path):
    state = train(tmp_path, batches_from=lambda n: spoiled(n, {1}), stop_at=2)
    one = train(tmp_path / "one", stop_at=1)
    for tree in ("params", "ema_params"):
        jax.tree.map(np.testing.assert_array_equal, getattr(state, tree), getattr(one, tree))
    assert (int(one.step), int(state.step)) == (1, 2)
    rows = [row for row in lines(tmp_path) if "train/loss" in row]
    assert [row["train/skipped_updates"] for row in rows] == [0, 1]
    assert rows[1]["train/loss"] is None


def test_a_run_without_finite_losses_stops_and_leaves_the_batch(tmp_path):
    config = dataclasses.replace(CONFIG, max_non_finite=2)
    with pytest.raises(FloatingPointError, match=r"2 times in a row.*offending_batch\.npz"):
        train(tmp_path, config=config, batches_from=lambda n: spoiled(n, {0, 1, 2, 3}))
    with np.load(tmp_path / "offending_batch.npz") as saved:
        assert list(saved["metadata"]) == ["what", "happened"]
        np.testing.assert_array_equal(saved["clean"], batch(1)["clean"])


def test_held_out_samples_are_shown(whole_run):
    events = whole_run[0].glob("events.out.tfevents.*")
    content = b"".join(path.read_bytes() for path in events)
    for case in (b"eval/q10", b"eval/q80"):
        assert content.count(case) == 2  # after both evaluations
    assert content.count(b"\x89PNG") == 4


def test_profiling_leaves_a_trace(tmp_path):
    train(tmp_path, stop_at=3, eval_batches=None, profile_steps=(2, 3))
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))


def test_a_profile_of_steps_that_do_not_come_is_not_promised(tmp_path, capsys):
    train(tmp_path, stop_at=2, eval_batches=None, profile_steps=(3, 4))
    train(tmp_path, stop_at=3, eval_batches=None, profile_steps=(2, 3))
    printed = capsys.readouterr().out
    assert "No profile: step 3 is none of those to come, 1 to 2." in printed
    assert "No profile: step 2 is none of those to come, 3 to 3." in printed
    assert not (tmp_path / "profile").exists()


def test_what_fits_is_loaded_if_asked_to_and_the_rest_named(whole_run, tmp_path, caplog):
    params = jax.tree.map(np.asarray, whole_run[1].params)
    fitting = dict(params) | {"blend": np.zeros(3)}
    config = dataclasses.replace(CONFIG, learning_rate=0.0, init_fit=InitialFit.PARTIAL)
    state = train(tmp_path, config=config, initial_params=fitting, stop_at=1, eval_batches=None)
    fresh = train(tmp_path / "fresh", config=config, stop_at=1, eval_batches=None)
    expected = params | {"blend": fresh.params["blend"]}
    jax.tree.map(np.testing.assert_array_equal, state.params, expected)
    ours = [r for r in caplog.records if r.name.startswith("agarnet_jax")]
    message = ours[0].getMessage()
    assert message.splitlines()[1:] == ["  blend: (3,), the model has (2,)"]
    with pytest.raises(ValueError, match="init_fit"):
        train(tmp_path / "b", config=config, initial_params={"blend": np.zeros(3)})
