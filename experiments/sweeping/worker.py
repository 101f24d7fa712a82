"""A worker: runs trials of a study one after the other until the study has enough."""

import time
import warnings
from collections.abc import Callable

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from experiments.sweeping.attempts import first_number, latest_attempts
from experiments.sweeping.trials import REASON, TrialTakenOver

_MAX_FAILURES_IN_A_ROW = 3  # in one worker


class RepeatedFailureError(Exception):
    """Raised when several trials in a row failed in one worker."""


def work(
    study: optuna.Study,
    objective: Callable[[optuna.Trial], float],
    *,
    trials: int,
    poll_seconds: float | None,
) -> None:
    """Runs trials until the study has `trials` of them, counting those of all workers.

    Abandoned trials are resumed first. With heartbeats, the worker waits until the last trial of
    the study is done, to resume the trials of workers that die until then.

    Args:
      study: shared by all workers.
      objective: trains a trial and returns its score.
      trials: total number of trials of the study.
      poll_seconds: how often to look for dead workers; None if the storage has no heartbeats.

    Raises:
      RepeatedFailureError: three trials in a row failed.
    """
    failures, announced = 0, False
    while True:
        _requeue_abandoned(study)
        existing = latest_attempts(study.get_trials(deepcopy=False))
        states = {trial.state for trial in existing}
        if TrialState.WAITING in states or len(existing) < trials:
            failed = _run_trial(study, objective, trials) == TrialState.FAIL
            failures = failures + 1 if failed else 0
            if failures == _MAX_FAILURES_IN_A_ROW:
                raise RepeatedFailureError(
                    f"{failures} trials in a row failed in this worker. Fix the cause, then raise "
                    "--trials: failed trials count, too."
                )
        elif TrialState.RUNNING in states and poll_seconds is not None:
            if not announced:
                print("All trials have started; waiting until the last one is done.", flush=True)
            announced = True
            time.sleep(poll_seconds)
        else:
            return


def _requeue_abandoned(study: optuna.Study) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def _run_trial(
    study: optuna.Study, objective: Callable[[optuna.Trial], float], trials: int
) -> TrialState | None:
    """Runs one trial and returns its final state; None if another worker has taken it over."""
    finished: list[FrozenTrial] = []
    try:
        # A failure such as too little memory for one width need not affect other trials.
        study.optimize(
            objective,
            n_trials=1,
            catch=(Exception,),
            callbacks=[lambda _, trial: finished.append(trial)],
        )
    except TrialTakenOver as event:
        print(f"{event}", flush=True)
        return None
    (trial,) = finished
    done = sum(t.state.is_finished() for t in latest_attempts(study.get_trials(deepcopy=False)))
    print(f"{_describe(trial)} ({done} of {trials} done)", flush=True)
    return trial.state


def _describe(trial: FrozenTrial) -> str:
    score = "" if trial.value is None else f", score {trial.value:.4f} at step {trial.last_step}"
    reason = f": {trial.user_attrs[REASON]}" if REASON in trial.user_attrs else ""
    return f"Trial {first_number(trial)} {trial.state.name.lower()}{score}{reason}"
