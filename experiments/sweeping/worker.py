"""A worker: runs trials of a study, one after the other, until the study has as many as asked."""

import time
import warnings
from collections.abc import Callable

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from experiments.sweeping.attempts import first_number, latest
from experiments.sweeping.trials import REASON, TakenOver

_FAILURES_IN_A_ROW = 3  # in one worker; more would tell nothing new


class RepeatedFailureError(Exception):
    """The failure of several trials in a row in one worker."""


def work(
    study: optuna.Study,
    objective: Callable[[optuna.Trial], float],
    *,
    trials: int,
    poll_seconds: float | None,
) -> None:
    """Runs trials until the study, counting those of all its workers, has `trials` of them.

    Trials that were left are taken up first. Where the storage tells of dead workers, this one
    stays until the last trial is done, to take up those left until then; it looks every
    `poll_seconds`. None: the storage cannot tell.

    Raises:
      RepeatedFailureError: see there.
    """
    failures, stayed = 0, False
    while True:
        _queue_abandoned(study)
        known = latest(study.get_trials(deepcopy=False))
        states = {trial.state for trial in known}
        if TrialState.WAITING in states or len(known) < trials:
            failed = _one_trial(study, objective, trials) == TrialState.FAIL
            failures = failures + 1 if failed else 0
            if failures == _FAILURES_IN_A_ROW:
                raise RepeatedFailureError(
                    f"{failures} trials in a row failed here. Mend the cause, then ask for more "
                    "--trials: those that failed stay counted."
                )
        elif TrialState.RUNNING in states and poll_seconds is not None:
            if not stayed:
                print("All trials are begun; staying until the last one is done.", flush=True)
            stayed = True
            time.sleep(poll_seconds)
        else:
            return


def _queue_abandoned(study: optuna.Study) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def _one_trial(
    study: optuna.Study, objective: Callable[[optuna.Trial], float], trials: int
) -> TrialState | None:
    """Runs one trial; returns how it ended, None if another worker goes on with it."""
    ended: list[FrozenTrial] = []
    try:
        # What makes one trial fail, such as too little memory for its width, may spare another.
        study.optimize(
            objective,
            n_trials=1,
            catch=(Exception,),
            callbacks=[lambda _, trial: ended.append(trial)],
        )
    except TakenOver as event:
        print(f"{event}", flush=True)
        return None
    (trial,) = ended
    done = sum(t.state.is_finished() for t in latest(study.get_trials(deepcopy=False)))
    print(f"{_describe(trial)} ({done} of {trials} done)", flush=True)
    return trial.state


def _describe(trial: FrozenTrial) -> str:
    score = "" if trial.value is None else f", score {trial.value:.4f} at step {trial.last_step}"
    reason = f": {trial.user_attrs[REASON]}" if REASON in trial.user_attrs else ""
    return f"Trial {first_number(trial)} {trial.state.name.lower()}{score}{reason}"
