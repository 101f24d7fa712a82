import dataclasses
import pathlib

import pytest
from optuna.trial import TrialState

from experiments.sweeping import report, worker
from experiments.sweeping.storage import MAX_MISSED_HEARTBEATS


def work(study, objective, *, trials=3):
    worker.work(study, objective, trials=trials, poll_seconds=0.2)


def states(study):
    return [trial.state for trial in study.trials]


def test_each_trial_trains_in_its_own_folder(open_study, objective, run, tmp_path, capsys):
    study = open_study()
    work(study, objective)
    assert states(study) == [TrialState.COMPLETE] * 3
    assert run.started_at == [("00000", 0), ("00001", 0), ("00002", 0)]
    for trial in study.trials:
        rate = trial.params["rate"]
        assert trial.intermediate_values == {2: rate + 0.002, 4: rate + 0.004}
        assert trial.value == rate + 0.004
    assert "Trial 2 complete, score" in capsys.readouterr().out


def test_the_number_of_trials_is_that_of_the_study_not_of_the_worker(open_study, objective, run):
    work(open_study(), objective)
    work(open_study(), objective)
    assert len(run.started_at) == 3
    work(open_study(), objective, trials=4)
    assert len(run.started_at) == 4


def test_grid_search_runs_each_combination_once(open_study, objective):
    study = open_study(sampler="grid")
    work(study, objective)
    assert sorted(trial.params["rate"] for trial in study.trials) == [0.25, 0.5, 0.75]


@pytest.mark.parametrize(("sampler", "pruner"), [("tpe", "asha"), ("random", "hyperband")])
def test_poor_trials_are_pruned_at_an_evaluation(open_study, objective, sampler, pruner):
    def worse_each_time(experiment, workdir, *, on_evaluation, before_leaving):
        for step in (2, 4):
            on_evaluation(step, -float(pathlib.Path(workdir).name))

    study = open_study(sampler=sampler, pruner=pruner)
    work(study, dataclasses.replace(objective, run=worse_each_time))
    assert states(study) == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED]
    assert [trial.last_step for trial in study.trials] == [4, 2, 2]


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_a_non_finite_score_prunes_the_trial(open_study, objective, score):
    def run(experiment, workdir, *, on_evaluation, before_leaving):
        on_evaluation(2, score)

    study = open_study()
    work(study, dataclasses.replace(objective, run=run), trials=1)
    (row,) = report.rows(study)
    assert (row.state, row.step) == ("pruned", 2)
    assert row.reason == f"score {score} at step 2"


def test_a_diverged_training_is_pruned(open_study, objective):
    def run(experiment, workdir, *, on_evaluation, before_leaving):
        raise FloatingPointError("20 updates in a row were not finite")

    study = open_study()
    work(study, dataclasses.replace(objective, run=run), trials=4)
    assert states(study) == [TrialState.PRUNED] * 4
    assert report.rows(study)[0].reason == "20 updates in a row were not finite"


def test_a_failure_is_stored_with_its_reason_and_other_trials_run(open_study, objective, run):
    def fails_once(experiment, workdir, *, on_evaluation, before_leaving):
        if workdir.endswith("00000"):
            raise MemoryError("too wide")
        run(experiment, workdir, on_evaluation=on_evaluation, before_leaving=before_leaving)

    study = open_study()
    work(study, dataclasses.replace(objective, run=fails_once))
    assert states(study) == [TrialState.FAIL, TrialState.COMPLETE, TrialState.COMPLETE]
    assert report.rows(study)[-1].reason == "MemoryError: too wide"


def test_a_worker_stops_after_repeated_failures(open_study, objective):
    def run(experiment, workdir, *, on_evaluation, before_leaving):
        raise SystemExit("no such folder")  # as program.one_line_errors does

    study = open_study()
    with pytest.raises(worker.RepeatedFailureError, match="3 trials in a row failed"):
        work(study, dataclasses.replace(objective, run=run), trials=9)
    assert [row.reason for row in report.rows(study)] == ["no such folder"] * 3


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit(143)])
@pytest.mark.parametrize("where", ["{folder}/study.db", "journal:{folder}/study.log"])
def test_a_worker_that_is_asked_to_exit_requeues_its_trial(
    open_study, objective, run, tmp_path, signal, where
):
    where = where.format(folder=tmp_path)

    def exit_at_step_4(step):
        if step == 4:
            raise signal

    run.before_saving = exit_at_step_4
    with pytest.raises(SystemExit) as stopped:
        work(open_study(where), objective, trials=2)
    assert stopped.value.code in (130, 143)

    run.before_saving = lambda step: None
    study = open_study(where)
    work(study, objective, trials=2)
    assert run.started_at == [("00000", 0), ("00000", 2), ("00002", 0)]
    stopped_trial, resumed, _ = study.trials
    assert stopped_trial.state == TrialState.FAIL
    assert resumed.params == stopped_trial.params
    rate = resumed.params["rate"]
    assert resumed.intermediate_values == {2: rate + 0.002, 4: rate + 0.004}
    assert [row.attempts for row in report.rows(study) if row.trial == 0] == [2]


def test_a_training_that_returns_early_is_requeued(open_study, objective, run):
    """As training does after a signal that makes it save and exit."""

    def stops(experiment, workdir, *, on_evaluation, before_leaving):
        on_evaluation(2, 0.5)

    study = open_study()
    with pytest.raises(SystemExit):
        work(study, dataclasses.replace(objective, run=stops), trials=1)
    assert states(study) == [TrialState.FAIL, TrialState.WAITING]


@pytest.mark.parametrize("end", [None, MemoryError("too wide"), SystemExit(143)])
def test_a_worker_leaves_its_trial_to_the_one_that_has_taken_it_over(
    open_study, objective, run, capsys, end
):
    """The worker hangs before step 4 without heartbeats, and another one finishes its trial.

    The first worker then continues to its next evaluation, or ends with an error or a signal.
    """
    study, other = open_study(), open_study()
    other_objective = dataclasses.replace(objective, run=type(run)())

    def hang(step):
        if step == 2:
            other._storage.set_trial_state_values(other.trials[0]._trial_id, state=TrialState.FAIL)
            other._storage.get_heartbeat_stale_trial_callback()(other, other.trials[0])
            work(other, other_objective, trials=1)
            if end is not None:
                raise end

    run.before_saving = hang
    if isinstance(end, SystemExit):
        with pytest.raises(SystemExit) as stopped:
            work(study, objective, trials=1)
        assert stopped.value.code == 143
    else:
        work(study, objective, trials=1)
        assert "Trial 0 was taken over by another worker." in capsys.readouterr().out
    (row,) = report.rows(study)
    assert (row.state, row.attempts) == ("complete", 2)


def test_a_trial_whose_worker_exits_without_saving_is_requeued(open_study, objective):
    """As after a signal before the first step, while the main thread compiles."""

    def compiles(experiment, workdir, *, on_evaluation, before_leaving):
        before_leaving()
        assert states(study) == [TrialState.FAIL, TrialState.WAITING]
        raise SystemExit(143)  # ends the process in practice

    study = open_study()
    with pytest.raises(SystemExit):
        work(study, dataclasses.replace(objective, run=compiles), trials=1)
    assert states(study) == [TrialState.FAIL, TrialState.WAITING]


def test_a_trial_is_not_restarted_more_often_than_allowed(open_study):
    study = open_study(retries=1)
    storage = study._storage
    for number in range(2):
        storage.set_trial_state_values(
            storage.create_new_trial(study._study_id) if number == 0 else study.trials[1]._trial_id,
            state=TrialState.FAIL,
        )
        storage.get_heartbeat_stale_trial_callback()(study, study.trials[number])
    (row,) = report.rows(study)
    assert (row.trial, row.state, row.attempts) == (0, "fail", 2)
    assert "--retries" in row.reason


def test_a_worker_counts_as_dead_after_several_missed_heartbeats(open_study):
    storage = open_study()._storage._backend
    assert storage.grace_period == MAX_MISSED_HEARTBEATS * storage.heartbeat_interval
