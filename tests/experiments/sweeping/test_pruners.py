"""A trial that is killed and resumed prunes, and is pruned, like one that never was killed."""

import optuna
import pytest

from experiments.sweeping import studies
from experiments.sweeping.attempts import requeue

OTHERS = {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}


def is_pruned(trial, score, step):
    trial.report(score, step)
    return trial.should_prune()


def decisions(pruner, name, last_step, *, kill):
    """Starts six trials; the first scores best, is killed if `kill`, and continues to step 6."""
    study = optuna.create_study(
        study_name=name,
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(),
        pruner=studies.make_pruner(pruner, first_step=2, last_step=last_step, reduction=3),
    )
    first, *others, last = (study.ask() for _ in range(6))
    pruned = [is_pruned(first, 0.9, 2)]
    if kill:
        requeue(study, first.number)
        first = study.ask()
        assert first.number == 6
    pruned += [is_pruned(trial, OTHERS[trial.number], 2) for trial in others]
    pruned += [is_pruned(last, 0.8, 2), is_pruned(last, 0.8, 6)]
    return [*pruned, is_pruned(first, 0.9, 6)]


# Hyperband draws a trial's bracket from the study's name and the trial's number; up to step 4 there
# is only one bracket.
@pytest.mark.parametrize(
    ("pruner", "name", "last_step"),
    [
        ("asha", "any", 18),
        ("hyperband", "any", 4),
        *(("hyperband", f"study {i}", 18) for i in range(8)),
    ],
)
def test_killing_a_trial_changes_no_decision(pruner, name, last_step):
    expected = decisions(pruner, name, last_step, kill=False)
    assert decisions(pruner, name, last_step, kill=True) == expected


def test_only_the_best_trials_pass_a_rung():
    first, *others, last_at_2, last_at_6, first_at_6 = decisions("asha", "any", 18, kill=False)
    # The two best of six trials pass step 2, and the better one of two passes step 6.
    assert (first, others, last_at_2) == (False, [True] * 4, False)
    assert (last_at_6, first_at_6) == (False, False)
