"""Trials and their attempts: one whose worker died goes on under a new number of Optuna's.

The first number names the trial: in reports, and as its working folder, where training continues.
"""

import copy
import warnings
from collections.abc import Iterable

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState


def first_number(trial: FrozenTrial) -> int:
    """Returns the number of a trial's first attempt."""
    return (_history(trial) or [trial.number])[0]


def attempts(trial: FrozenTrial) -> int:
    """Counts how often a trial was begun."""
    return len(_history(trial)) + (trial.state != TrialState.WAITING)


def latest(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Lists the latest attempt of every trial, in the order of first numbers."""
    by_first = {first_number(trial): trial for trial in sorted(trials, key=lambda t: t.number)}
    return [by_first[number] for number in sorted(by_first)]


def requeue(study: optuna.Study, number: int) -> None:
    """Ends an attempt that its worker has to leave, and queues the trial for any worker.

    Nothing happens to one that another worker has taken over.
    """
    left = copy.deepcopy(study.get_trials(deepcopy=False)[number])
    if left.state.is_finished():
        return
    study.tell(number, state=TrialState.FAIL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        retry = RetryHeartbeatStaleTrialCallback(inherit_intermediate_values=True)
    retry(study, left)


def _history(trial: FrozenTrial) -> list[int]:
    return trial.system_attrs.get("retry_history", [])  # set by RetryHeartbeatStaleTrialCallback
