"""The loop on a two-device mesh with a small restorer and synthetic batches."""

import contextlib
import dataclasses
import functools
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
from agarnet_jax.training.step import make_train_step, to_unit_range
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
    # The formulations that are traced and compiled fastest.
    conv2d="native",
    conv3d="native",
)
CONFIG = TrainConfig(
    steps=4,
    batch_size=2,
    warmup_steps=1,
    ema_decay=0.2,  # between the warm-up values of the first steps, 2/11 and 3/12
    log_every=1,
    eval_every=2,
    checkpoint_every=2,
)


def batch(index, size=16):
    rng = np.random.default_rng(index)
    clean = rng.random((2, size, size, 1), np.float32)
    return {
        "clean": clean,
        "degraded": np.clip(clean + rng.normal(0, 0.1, clean.shape), 0, 1).astype(np.float32),
        "quality": np.full((2, 1, 1, 1), 20 + index, np.float32),
        "tables": np.full((2, 1, 1, 64), 20 + index, np.uint8),
        "metadata": np.array(["what", "happened"]),
    }


def batches_from(start):
    return (batch(index) for index in itertools.count(start))


def eval_batches():
    for quality in (10, 80):
        yield f"q{quality}", batch(quality) | {"weight": np.array([1, 0], np.float32)}


def train(workdir, *, task=None, config=CONFIG, **options):
    defaults = {"batches_from": batches_from, "eval_batches": eval_batches}
    options = defaults | {"resolved_config": {"any": "thing"}} | options
    return loop.train(
        task or RestorationTask(SMALL, 0.1),
        config=config,
        workdir=str(workdir),
        **options,
    )


def lines(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module", autouse=True)
def traced_once():
    """Runs of the same settings share the programs of their steps."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("make_train_step", "make_eval_step"):
            patch.setattr(loop, name, functools.cache(getattr(loop, name)))
        yield


@pytest.fixture(scope="module")
def complete_run(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("complete")
    return workdir, train(workdir)


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(complete_run, tmp_path):
    _, expected = complete_run
    first = train(tmp_path, stop_at=2)
    assert int(first.step) == 2
    resumed = train(tmp_path)
    assert int(resumed.step) == 4
    jax.tree.map(np.testing.assert_array_equal, resumed, expected)


def test_a_finished_run_is_not_changed(complete_run):
    workdir, expected = complete_run
    before = lines(workdir)
    again = train(workdir)
    jax.tree.map(np.testing.assert_array_equal, again, expected)
    assert lines(workdir) == before


def test_changed_settings_are_reported_on_resume(tmp_path, capsys):
    train(tmp_path, stop_at=2, resolved_config={"seed": 1, "sizes": (1, 2), "same": 3})
    train(tmp_path, stop_at=1, resolved_config={"seed": 2, "sizes": (1, 2), "same": 3})
    output = "".join(capsys.readouterr())
    assert "The checkpoint was saved with config.seed = 1, not 2 as now." in output
    assert "Nothing to do: step 1 has been passed." in output


def test_changed_images_are_reported_on_resume(tmp_path, capsys):
    def messages(step, **images):
        config = {"seed": 1} | ({"images": images} if images else {})
        train(tmp_path, stop_at=step, resolved_config=config)
        lines = "".join(capsys.readouterr()).splitlines()
        return [line for line in lines if line.startswith("The checkpoint")]

    assert messages(1) == []
    assert messages(2, training="12 images\nabc", held="none") == []  # not in the checkpoint
    assert messages(3, training="13 images\nabd", held="none") == [
        "The checkpoint was saved with other training images than now: 12 images, now 13 images."
    ]
    assert messages(4, training="13 images\nabd", held="none") == []


def test_initial_weights_cannot_change_on_resume(tmp_path, complete_run):
    def saved(step):
        with contextlib.closing(Checkpoints(tmp_path / "checkpoints")) as checkpoints:
            return checkpoints.config(step)

    params = jax.tree.map(np.asarray, complete_run[1].params)
    train(tmp_path, stop_at=1, resolved_config={"init_from": "a"}, initial_params=params)
    train(tmp_path, stop_at=2, resolved_config={"init_from": "a"})  # the same command again
    train(tmp_path, stop_at=3, resolved_config={"init_from": "", "seed": 1})
    assert saved(3) == {"init_from": "a", "seed": 1}
    # Moved, or on another host.
    train(tmp_path, stop_at=4, resolved_config={"init_from": "elsewhere/a"})
    assert saved(4)["init_from"] == "a"
    with pytest.raises(CheckpointError, match=r"init_from is 'b', but .* started from 'a' and"):
        train(tmp_path, resolved_config={"init_from": "b"})


def test_parameters_and_their_average_change(complete_run, tmp_path):
    _, state = complete_run
    start = train(tmp_path, stop_at=1)
    for tree, earlier in ((state.params, start.params), (state.ema_params, start.ema_params)):
        moved = jax.tree.map(lambda a, b: bool((a != b).any()), tree, earlier)
        assert all(jax.tree.leaves(moved))


def test_the_ema_follows_its_formula(tmp_path):
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


def test_runs_with_other_rates_and_lengths_share_the_compiled_program(complete_run):
    """So trials of a sweep, or a longer run, find it in the compilation cache."""
    _, state = complete_run
    mesh = make_mesh()

    def program(**changes):
        config = dataclasses.replace(CONFIG, **changes)
        step = make_train_step(RestorationTask(SMALL, 0.1), config, mesh)
        rate = replicate(next(learning_rates(config)), mesh)
        return step.lower(state, global_batch(batch(0), mesh), rate).as_text()

    same = {"learning_rate": 0.1, "steps": 9, "warmup_steps": 2, "seed": 5}
    assert program(**same, schedule=ScheduleConfig("steps")) == program()
    assert program(clip_norm=2.0) != program()


def test_each_step_uses_its_learning_rate(tmp_path):
    """The first step has rate 0; Adam's first update after it is proportional to the rate."""
    start = train(tmp_path / "start", stop_at=1)
    fixed = dataclasses.replace(CONFIG, schedule=ScheduleConfig("constant"))
    low, high = (
        train(
            tmp_path / str(rate), config=dataclasses.replace(fixed, learning_rate=rate), stop_at=2
        )
        for rate in (1e-4, 3e-4)
    )
    jax.tree.map(
        lambda a, b, c: np.testing.assert_allclose(c - a, 3 * (b - a), rtol=0.01, atol=1e-6),
        start.params,
        low.params,
        high.params,
    )


def test_the_averaged_parameters_are_evaluated(complete_run):
    workdir, state = complete_run
    task = RestorationTask(SMALL, 0.1)
    (row,) = [row for row in lines(workdir) if row["step"] == 4 and "eval/psnr/q10" in row]
    inputs = to_unit_range(batch(10))
    averaged, latest = (
        float(task.metrics(task.apply(params, inputs), inputs)["psnr"][0])  # the second is padding
        for params in (state.ema_params, state.params)
    )
    assert abs(averaged - latest) > 1e-4
    assert row["eval/psnr/q10"] == pytest.approx(averaged, abs=1e-5)


def test_the_learning_rate_of_each_step_is_logged(complete_run):
    workdir, _ = complete_run
    rates = [row["train/learning_rate"] for row in lines(workdir) if "train/learning_rate" in row]
    # One step of warm-up from 0, then cosine decay from the peak over the other three.
    relative = [0, 1, *(0.01 + 0.99 * (1 + math.cos(math.pi * k / 3)) / 2 for k in (1, 2))]
    assert rates == pytest.approx([1e-3 * value for value in relative], rel=1e-5)


def test_metrics_are_logged_as_json_lines_and_tensorboard_events(complete_run):
    workdir, _ = complete_run
    rows = lines(workdir)
    trained = [row for row in rows if "train/loss" in row]
    assert [row["step"] for row in trained] == [1, 2, 3, 4]
    for name in ("pixels_per_second", "learning_rate", "gradient_norm"):
        assert all(np.isfinite(row[f"train/{name}"]) for row in trained)
    for row in trained:
        fractions = [row[f"train/{name}_share"] for name in ("data_wait", "compute", "host")]
        assert sum(fractions) == pytest.approx(1)
        assert all(0 <= fraction <= 1 for fraction in fractions)
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

    def recorded_batches(start):
        for item in batches_from(start):
            events.append("next batch")
            yield item

    train(tmp_path, batches_from=recorded_batches)
    one_step = ["next batch", "step", "log"]
    assert events == 2 * [*one_step, *one_step, "evaluate", "save"]


def test_training_starts_from_initial_parameters_and_lists_misfits(complete_run, tmp_path):
    _, trained = complete_run
    params = jax.tree.map(np.asarray, trained.params)
    frozen = TrainConfig(**(vars(CONFIG) | {"learning_rate": 0.0}))
    state = train(tmp_path / "a", config=frozen, initial_params=params, stop_at=1)
    jax.tree.map(np.testing.assert_array_equal, state.params, params)

    params["blend"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"blend: \(3,\), the model has \(2,\)"):
        train(tmp_path / "b", initial_params=params)


def test_padding_images_are_not_evaluated(complete_run, tmp_path):
    workdir, _ = complete_run
    train(tmp_path, eval_batches=lambda: zero_padding_images(eval_batches()))
    rows = [[r for r in lines(d) if "eval/psnr" in r][-1] for d in (workdir, tmp_path)]
    assert rows[0]["eval/psnr"] == pytest.approx(rows[1]["eval/psnr"], abs=1e-6)


def zero_padding_images(batches):
    """Changes the pixels of the images whose weight is 0."""
    for quality, item in batches:
        item["degraded"][1] = 0
        yield quality, item


def test_a_batch_size_that_devices_cannot_share_is_rejected(tmp_path):
    config = TrainConfig(**(vars(CONFIG) | {"batch_size": 3}))
    with pytest.raises(ValueError, match=r"batch_size is 3.*2 devices.*multiple of 2"):
        train(tmp_path, config=config)


def test_the_estimator_trains_in_the_same_loop(tmp_path):
    task = EstimationTask(EstimatorConfig(features=(2, 2, 2, 2)))
    state = train(
        tmp_path,
        task=task,
        batches_from=lambda start: (batch(n, size=64) for n in itertools.count(start)),
        eval_batches=None,
    )
    assert int(state.step) == 4
    assert all("train/mean_absolute_error" in row for row in lines(tmp_path))


def test_on_evaluation_is_called_before_saving_and_may_end_the_run(complete_run, tmp_path):
    reported = []

    def stop_at_the_second(step, score):
        reported.append((step, score))
        if len(reported) == 2:
            raise LookupError("pruned")

    with pytest.raises(LookupError):
        train(tmp_path, on_evaluation=stop_at_the_second)
    rows = [row for row in lines(complete_run[0]) if "eval/psnr_gain" in row]
    assert reported == [(row["step"], row["eval/psnr_gain"]) for row in rows]
    saved = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert saved == {"2"}


def test_stopping_early_adds_no_evaluation(tmp_path):
    """Otherwise the best checkpoint would depend on where the run was interrupted."""
    reported = []
    train(tmp_path, stop_at=3, on_evaluation=lambda step, _: reported.append(step))
    assert reported == [2]
    train(tmp_path, on_evaluation=lambda step, _: reported.append(step))
    assert reported == [2, 4]


def test_a_run_stopped_during_an_evaluation_repeats_it(complete_run, tmp_path):
    _, expected = complete_run

    def interrupting_batches():
        signal.raise_signal(signal.SIGTERM)
        time.sleep(1)  # until the listening thread has received it
        yield from eval_batches()

    with pytest.raises(Interrupted) as raised:
        train(tmp_path, eval_batches=interrupting_batches)
    assert raised.value.code == 143
    reported = []
    state = train(tmp_path, on_evaluation=lambda step, _: reported.append(step))
    assert reported == [2, 4]
    jax.tree.map(np.testing.assert_array_equal, state, expected)
    assert [row["step"] for row in lines(tmp_path) if "train/loss" in row] == [1, 2, 3, 4]
    assert [row["step"] for row in lines(tmp_path) if "eval/psnr" in row] == [2, 4]


def batches_with_nan(start, indices):
    """The batches from `start` on; those at `indices` have a pixel that is NaN."""
    for index in itertools.count(start):
        item = batch(index)
        if index in indices:
            item["degraded"][0, 0, 0, 0] = np.nan
        yield item


def test_a_batch_with_non_finite_loss_only_advances_the_step(tmp_path):
    state = train(tmp_path, batches_from=lambda n: batches_with_nan(n, {1}), stop_at=2)
    one = train(tmp_path / "one", stop_at=1)
    for tree in ("params", "ema_params"):
        jax.tree.map(np.testing.assert_array_equal, getattr(state, tree), getattr(one, tree))
    assert (int(one.step), int(state.step)) == (1, 2)
    rows = [row for row in lines(tmp_path) if "train/loss" in row]
    assert [row["train/skipped_updates"] for row in rows] == [0, 1]
    assert rows[1]["train/loss"] is None


def test_a_run_without_finite_losses_stops_and_saves_the_batch(tmp_path):
    config = dataclasses.replace(CONFIG, max_non_finite=2)
    with pytest.raises(FloatingPointError, match=r"2 consecutive steps.*offending_batch\.npz"):
        train(tmp_path, config=config, batches_from=lambda n: batches_with_nan(n, {0, 1, 2, 3}))
    with np.load(tmp_path / "offending_batch.npz") as saved:
        assert list(saved["metadata"]) == ["what", "happened"]
        np.testing.assert_array_equal(saved["clean"], batch(1)["clean"])


def test_held_out_samples_are_written_to_tensorboard(complete_run):
    events = complete_run[0].glob("events.out.tfevents.*")
    content = b"".join(path.read_bytes() for path in events)
    for case in (b"eval/q10", b"eval/q80"):
        assert content.count(case) == 2  # one per evaluation
    assert content.count(b"\x89PNG") == 4


def test_profiling_writes_a_trace_of_numbered_steps(tmp_path):
    train(tmp_path, stop_at=4, eval_batches=None, profile_steps=(2, 3))
    (path,) = (tmp_path / "profile").rglob("*.xplane.pb")
    trace = jax.profiler.ProfileData.from_file(str(path))
    events = [event for plane in trace.planes for line in plane.lines for event in line.events]
    assert [dict(event.stats)["step_num"] for event in events if event.name == "train"] == [2, 3]


def test_steps_to_profile_that_will_not_run_are_reported(tmp_path, capsys):
    train(tmp_path, stop_at=2, eval_batches=None, profile_steps=(3, 4))
    train(tmp_path, stop_at=3, eval_batches=None, profile_steps=(2, 3))
    printed = capsys.readouterr().out
    assert "No profile: step 3 is not among the steps of this run, 1 to 2." in printed
    assert "No profile: step 2 is not among the steps of this run, 3 to 3." in printed
    assert not (tmp_path / "profile").exists()


def test_partial_loading_lists_the_parameters_that_do_not_fit(complete_run, tmp_path, caplog):
    params = jax.tree.map(np.asarray, complete_run[1].params)
    given = dict(params) | {"blend": np.zeros(3)}
    config = dataclasses.replace(CONFIG, learning_rate=0.0, init_fit=InitialFit.PARTIAL)
    state = train(tmp_path, config=config, initial_params=given, stop_at=1, eval_batches=None)
    fresh = train(tmp_path / "fresh", config=config, stop_at=1, eval_batches=None)
    expected = params | {"blend": fresh.params["blend"]}
    jax.tree.map(np.testing.assert_array_equal, state.params, expected)
    ours = [r for r in caplog.records if r.name.startswith("agarnet_jax")]
    message = ours[0].getMessage()
    assert message.splitlines()[1:] == ["  blend: (3,), the model has (2,)"]
    with pytest.raises(ValueError, match="init_fit"):
        train(tmp_path / "b", config=config, initial_params={"blend": np.zeros(3)})
