"""Trials and their attempts: after a worker died, its trial continues as a new Optuna trial.

The number of the first attempt identifies the trial in reports and names its working folder, where
training continues.
"""

import copy
import warnings
from collections.abc import Iterable

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState


def first_number(trial: FrozenTrial) -> int:
    """Returns the number of the first attempt at a trial."""
    return (_history(trial) or [trial.number])[0]


def count_attempts(trial: FrozenTrial) -> int:
    """Returns how often a trial was started."""
    return len(_history(trial)) + (trial.state != TrialState.WAITING)


def latest_attempts(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Returns the latest attempt at every trial, ordered by first numbers."""
    by_first = {first_number(trial): trial for trial in sorted(trials, key=lambda t: t.number)}
    return [by_first[number] for number in sorted(by_first)]


def requeue(study: optuna.Study, number: int) -> None:
    """Ends the attempt of a worker that has to exit, and queues the trial for any worker.

    Does nothing if another worker has taken the trial over.
    """
    attempt = copy.deepcopy(study.get_trials(deepcopy=False)[number])
    if attempt.state.is_finished():
        return
    study.tell(number, state=TrialState.FAIL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        retry = RetryHeartbeatStaleTrialCallback(inherit_intermediate_values=True)
    retry(study, attempt)


def _history(trial: FrozenTrial) -> list[int]:
    return trial.system_attrs.get("retry_history", [])  # set by RetryHeartbeatStaleTrialCallback
