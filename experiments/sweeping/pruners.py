"""When to give up a trial: asynchronous successive halving (Li et al. 2020), Hyperband (2018).

Optuna's own, except that failed trials do not compete. A trial whose worker died lives on under
another number, with the scores it had; under its first number they would count twice.
"""

import copy
from collections.abc import Container

import optuna
from optuna.pruners import HyperbandPruner, SuccessiveHalvingPruner
from optuna.trial import FrozenTrial, TrialState

from experiments.sweeping.attempts import first_number

_NO_BRACKET = -1


class _WithoutFailed(optuna.Study):
    """A study without its failed trials, as its pruner sees it."""

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials = super().get_trials(deepcopy=deepcopy, states=states)
        return [trial for trial in trials if trial.state != TrialState.FAIL]


class AshaPruner(SuccessiveHalvingPruner):
    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        return super().prune(_WithoutFailed(study.study_name, study._storage), trial)


class HyperbandOfSurvivors(HyperbandPruner):
    """Hyperband that draws a trial's bracket by its first number, not its latest attempt's."""

    def _get_bracket_id(self, study: optuna.Study, trial: FrozenTrial) -> int:
        if trial.state == TrialState.FAIL:
            return _NO_BRACKET
        first = copy.copy(trial)
        first.number = first_number(trial)
        return super()._get_bracket_id(study, first)
