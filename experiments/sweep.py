"""Sweeps settings of an experiment: many short trainings; poor ones are pruned early.

    python -m experiments.sweep --config=experiments/configs/smoke.py \\
      --space=experiments/sweeps/lr_width.py --study=NAME --workdir=DIR --trials=20 \\
      --config.data.train_dir=FOLDER --config.data.eval_dir=FOLDER [--config.KEY=VALUE …]

For more workers, run the same command again, here or on other machines that share --storage and
--workdir. If a worker dies, another one continues its trial from the last checkpoint. Higher
scores are better: the PSNR gain of restorers, the negative error of estimators. Prints a table and
writes DIR/results.csv and plots; `docs/sweeps.md` is the guide. Needs the extra `sweep`.
"""

import functools
import signal
import sys
from typing import Any

from absl import flags
from etils import epath
from ml_collections import config_flags

from agarnet_jax.remote_paths import check_reachable
from agarnet_jax.training import signals
from experiments import program
from experiments.training_run import run

with program.one_line_errors():
    try:
        import optuna
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "Sweeping needs the extra `sweep` (pip install 'agarnet-jax[sweep]')."
        ) from None

    from experiments.sweeping import opening, report, studies, worker
    from experiments.sweeping.settings import SweepSettings
    from experiments.sweeping.trials import INTERRUPTED

_CONFIG = config_flags.DEFINE_config_file("config", None, "Experiment configuration file.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for trials and reports.", required=True)
_SPACE = flags.DEFINE_string(
    "space", None, "Python file that defines suggest(trial) and, for a grid, GRID."
)
_STUDY = flags.DEFINE_string("study", None, "Name of the study in the storage.", required=True)
_STORAGE = flags.DEFINE_string(
    "storage", "", "FILE, journal:FILE or a database URL; default: WORKDIR/study.db."
)
_TRIALS = flags.DEFINE_integer(
    "trials",
    None,
    "Trials of the whole study, over all workers; default: 20, or the grid.",
    lower_bound=1,
)
_SAMPLER = flags.DEFINE_enum("sampler", "tpe", studies.SAMPLERS, "How parameters are drawn.")
_PRUNER = flags.DEFINE_enum("pruner", "asha", studies.PRUNERS, "How poor trials are stopped early.")
_REDUCTION = flags.DEFINE_integer(
    "reduction",
    3,
    "Reduction factor: one in this many trials passes each rung of the pruner.",
    lower_bound=2,
)
_HEARTBEAT = flags.DEFINE_integer(
    "heartbeat",
    30,
    "Seconds between heartbeats; a worker that misses five counts as dead.",
    lower_bound=1,
)
_RETRIES = flags.DEFINE_integer(
    "retries", 5, "How often a trial is restarted after its worker died.", lower_bound=0
)
_REPORT_ONLY = flags.DEFINE_bool(
    "report_only", False, "Only write the report of an existing study."
)


def settings() -> SweepSettings:
    """Reads the flags."""
    return SweepSettings(
        study=_STUDY.value,
        workdir=epath.Path(_WORKDIR.value),
        storage=_STORAGE.value,
        config=_CONFIG.value,
        space=_SPACE.value,
        sampler=_SAMPLER.value,
        pruner=_PRUNER.value,
        reduction=_REDUCTION.value,
        trials=_TRIALS.value,
        heartbeat=_HEARTBEAT.value,
        retries=_RETRIES.value,
    )


def exit_on_signal(number: int, _: Any) -> None:
    """Handles signals between trainings, which install their own handlers.

    Later signals are ignored, so that they cannot interrupt the shutdown.
    """
    signal.signal(number, signal.SIG_IGN)
    signals.on_signal(number)
    sys.exit(128 + number)


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    chosen = settings()
    with program.one_line_errors():
        check_reachable(_WORKDIR.value)
        if _REPORT_ONLY.value:
            report.write(opening.load_existing(chosen), chosen.workdir)
            return
        # A worker whose trial was taken over may need a moment to release the folder.
        run_when_free = functools.partial(run, wait_for_folder=True)
        study, objective, trials = opening.join(chosen, run_when_free)
    for number in signals.stop_signals():
        if number != signal.SIGINT:  # raises KeyboardInterrupt
            signal.signal(number, exit_on_signal)
    failure = None
    try:
        worker.work(study, objective, trials=trials, poll_seconds=chosen.poll_seconds)
    except worker.RepeatedFailureError as error:
        failure = f"{error}"
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    with program.one_line_errors():
        report.write(study, chosen.workdir)
    raise SystemExit(failure)


if __name__ == "__main__":
    program.start(main)
