"""One trial: an experiment of its own, trained in its own folder, its scores reported."""

import dataclasses
import gc
import math
import os
from collections.abc import Callable
from typing import Any, Protocol

import jax
import ml_collections
import optuna
from etils import epath
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial

from experiments.config import ExperimentConfig
from experiments.sweeping import spaces
from experiments.sweeping.attempts import first_number, requeue

INTERRUPTED = 130  # the exit code that shells give it
REASON = "reason"  # user attribute: why a trial failed, or was pruned when not for its score


class TrainingRun(Protocol):
    """What trains: `experiments.training_run.run`, or a stand-in for it."""

    def __call__(
        self,
        experiment: ExperimentConfig,
        workdir: str,
        *,
        on_evaluation: Callable[[int, float], None],
        before_leaving: Callable[[], None],
    ) -> Any: ...


class TakenOver(BaseException):
    """The sign that another worker goes on with this trial, as this one gave no sign of life.

    It is no Exception, as Optuna would try to close the trial on one.
    """


@dataclasses.dataclass(frozen=True)
class Objective:
    """What a study maximizes: the score of the last evaluation.

    A trial runs in this process, so that its reports need no way across processes; what JAX
    compiled for it is dropped at its end.
    """

    space: spaces.Space
    base: ml_collections.ConfigDict
    workdir: str
    run: TrainingRun

    def __call__(self, trial: optuna.Trial) -> float:
        """Trains, continuing from the folder's checkpoint if there is one.

        Raises:
          optuna.TrialPruned: the pruner gave it up, it diverged, or a score is not finite.
          TakenOver: see there.
          SystemExit: this worker was told to leave, and has queued the trial again.
          Exception: what training raised, stored as the trial's reason.
        """
        frozen = trial.study.get_trials(deepcopy=False)[trial.number]
        try:
            return self._ended(trial, frozen)
        except UpdateFinishedTrialError:
            raise TakenOver(f"Trial {first_number(frozen)} goes on elsewhere.") from None
        finally:
            jax.clear_caches()
            gc.collect()

    def _ended(self, trial: optuna.Trial, frozen: FrozenTrial) -> float:
        """Trains like `__call__`; UpdateFinishedTrialError says another worker has the trial."""
        try:
            return self._train(trial, frozen)
        except (KeyboardInterrupt, SystemExit) as stop:
            code = getattr(stop, "code", None)
            if isinstance(code, str):  # raised by `program.one_line_errors`
                trial.set_user_attr(REASON, code)
                raise RuntimeError(code) from None
            requeue(trial.study, trial.number)
            raise SystemExit(INTERRUPTED if code is None else code) from None
        except FloatingPointError as error:  # diverged, which samplers should learn from
            trial.set_user_attr(REASON, f"{error}")
            raise optuna.TrialPruned from None
        except (optuna.TrialPruned, UpdateFinishedTrialError):
            raise
        except Exception as error:
            message = " ".join(f"{error}".split())
            trial.set_user_attr(REASON, f"{type(error).__name__}: {message}")
            raise

    def _train(self, trial: optuna.Trial, frozen: FrozenTrial) -> float:
        values = self.space.suggest(trial)
        experiment = spaces.configured(self.base, values)
        number, last = first_number(frozen), experiment.train.steps
        shown = ", ".join(f"{name}={value}" for name, value in values.items())
        print(f"Trial {number}: {shown}", flush=True)
        scores = dict(frozen.intermediate_values)

        def on_evaluation(step: int, score: float) -> None:
            if step not in scores:  # else an earlier attempt reported it before it was saved
                scores[step] = score
                trial.report(score if math.isfinite(score) else math.nan, step)
            if not math.isfinite(score):
                trial.set_user_attr(REASON, f"score {score} at step {step}")
                raise optuna.TrialPruned
            if step < last and trial.should_prune():
                raise optuna.TrialPruned

        folder = study_folder(self.workdir, trial.study.study_name) / f"{number:05d}"
        self.run(
            experiment,
            f"{folder}",
            on_evaluation=on_evaluation,
            before_leaving=lambda: requeue(trial.study, trial.number),
        )
        if last not in scores:  # told to leave, it saved and returned
            raise SystemExit
        return scores[last]


def study_folder(workdir: str | os.PathLike[str], study: str) -> epath.Path:
    """Returns the folder of a study's trials, each in one of its own named by its first number."""
    return epath.Path(workdir) / "trials" / study
