"""One trial: trains an experiment in its own folder and reports its scores."""

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

INTERRUPTED = 130  # exit code after SIGINT, as of shells
REASON = "reason"  # user attribute: why a trial failed, or was pruned other than by the pruner


class TrainingRun(Protocol):
    """A function that trains: `experiments.training_run.run`, or a stand-in for it."""

    def __call__(
        self,
        experiment: ExperimentConfig,
        workdir: str,
        *,
        on_evaluation: Callable[[int, float], None],
        before_leaving: Callable[[], None],
    ) -> Any: ...


class TrialTakenOver(BaseException):
    """Another worker has taken over the trial, because this one missed its heartbeats.

    Not an Exception: on those, Optuna would try to finish the trial.
    """


@dataclasses.dataclass(frozen=True)
class Objective:
    """The objective that a study maximizes: the score of the last evaluation.

    Trials run in this process, so no reports need to cross processes. JAX's compiled programs are
    dropped after each trial.
    """

    space: spaces.Space
    base: ml_collections.ConfigDict
    workdir: str
    run: TrainingRun

    def __call__(self, trial: optuna.Trial) -> float:
        """Trains, continuing from the folder's checkpoint if there is one.

        Raises:
          optuna.TrialPruned: the pruner stopped the trial, training diverged, or a score is not
            finite.
          TrialTakenOver: another worker has the trial.
          SystemExit: this worker was asked to exit, and has queued the trial again.
          Exception: training failed; the error is stored as the trial's reason.
        """
        frozen = trial.study.get_trials(deepcopy=False)[trial.number]
        try:
            return self._train_and_record(trial, frozen)
        except UpdateFinishedTrialError:
            raise TrialTakenOver(
                f"Trial {first_number(frozen)} was taken over by another worker."
            ) from None
        finally:
            jax.clear_caches()
            gc.collect()

    def _train_and_record(self, trial: optuna.Trial, frozen: FrozenTrial) -> float:
        """Trains, and stores the reason if that fails; a trial that has to stop is queued again.

        Raises:
          UpdateFinishedTrialError: another worker has the trial; otherwise as `__call__`.
        """
        try:
            return self._train(trial, frozen)
        except (KeyboardInterrupt, SystemExit) as stop:
            code = getattr(stop, "code", None)
            if isinstance(code, str):  # raised by `program.one_line_errors`
                trial.set_user_attr(REASON, code)
                raise RuntimeError(code) from None
            requeue(trial.study, trial.number)
            raise SystemExit(INTERRUPTED if code is None else code) from None
        except FloatingPointError as error:  # pruned, not failed: samplers learn from divergence
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
        experiment = spaces.override(self.base, values)
        number, last = first_number(frozen), experiment.train.steps
        assignments = ", ".join(f"{name}={value}" for name, value in values.items())
        print(f"Trial {number}: {assignments}", flush=True)
        scores = dict(frozen.intermediate_values)

        def on_evaluation(step: int, score: float) -> None:
            if step not in scores:  # an earlier attempt may have reported it and died before saving
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
        if last not in scores:  # training saved and returned early on a signal
            raise SystemExit
        return scores[last]


def study_folder(workdir: str | os.PathLike[str], study: str) -> epath.Path:
    """Returns the folder of a study's trials, with a subfolder per trial named by first number."""
    return epath.Path(workdir) / "trials" / study
