"""Pruners: asynchronous successive halving (Li et al. 2020) and Hyperband (Li et al. 2018).

They differ from Optuna's in that failed trials do not compete. A trial whose worker died continues
under another number with its earlier scores, which would otherwise count twice.
"""

import copy
from collections.abc import Container

import optuna
from optuna.pruners import HyperbandPruner, SuccessiveHalvingPruner
from optuna.trial import FrozenTrial, TrialState

from experiments.sweeping.attempts import first_number

_NO_BRACKET = -1


class _StudyWithoutFailures(optuna.Study):
    """A view of a study, for its pruner, that hides failed trials."""

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials = super().get_trials(deepcopy=deepcopy, states=states)
        return [trial for trial in trials if trial.state != TrialState.FAIL]


class RetryAwareAsha(SuccessiveHalvingPruner):
    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        return super().prune(_StudyWithoutFailures(study.study_name, study._storage), trial)


class RetryAwareHyperband(HyperbandPruner):
    """Hyperband that draws a trial's bracket by its first number, not by its latest attempt's."""

    def _get_bracket_id(self, study: optuna.Study, trial: FrozenTrial) -> int:
        if trial.state == TrialState.FAIL:
            return _NO_BRACKET
        first = copy.copy(trial)
        first.number = first_number(trial)
        return super()._get_bracket_id(study, first)
