"""A killed and resumed trial prunes, and is pruned, as one that was never killed."""

import optuna
import pytest

from experiments.sweeping import studies
from experiments.sweeping.attempts import requeue

OTHERS = {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}


def gives_up(trial, score, step):
    trial.report(score, step)
    return trial.should_prune()


def decisions(pruner, name, last_step, *, kill):
    """Six trials begin; the first scores best, is perhaps killed, and goes on to step 6."""
    study = optuna.create_study(
        study_name=name,
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(),
        pruner=studies.make_pruner(pruner, first_step=2, last_step=last_step, reduction=3),
    )
    first, *others, last = (study.ask() for _ in range(6))
    given_up = [gives_up(first, 0.9, 2)]
    if kill:
        requeue(study, first.number)
        first = study.ask()
        assert first.number == 6
    given_up += [gives_up(trial, OTHERS[trial.number], 2) for trial in others]
    given_up += [gives_up(last, 0.8, 2), gives_up(last, 0.8, 6)]
    return [*given_up, gives_up(first, 0.9, 6)]


# Hyperband draws the bracket of a trial by its study's name and its number; up to step 4 there is
# only one.
@pytest.mark.parametrize(
    ("pruner", "name", "last_step"),
    [
        ("asha", "any", 18),
        ("hyperband", "any", 4),
        *(("hyperband", f"study {i}", 18) for i in range(8)),
    ],
)
def test_a_kill_changes_no_decision(pruner, name, last_step):
    expected = decisions(pruner, name, last_step, kill=False)
    assert decisions(pruner, name, last_step, kill=True) == expected


def test_what_is_decided_without_a_kill():
    first, *others, last_at_2, last_at_6, first_at_6 = decisions("asha", "any", 18, kill=False)
    # Of six that reached step 2, the two best may go on; at step 6 the better one of two.
    assert (first, others, last_at_2) == (False, [True] * 4, False)
    assert (last_at_6, first_at_6) == (False, False)
