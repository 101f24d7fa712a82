"""Sweeps settings of an experiment: many short trainings, the poor ones given up early.

    python -m experiments.sweep --config=experiments/configs/smoke.py \
      --space=experiments/sweeps/lr_width.py --study=NAME --workdir=DIR --trials=20 \
      --config.data.train_dir=FOLDER --config.data.eval_dir=FOLDER [--config.KEY=VALUE …]

Run the same command again, here or on other machines that share --storage and --workdir, for more
workers; a trial whose worker died goes on from its checkpoint in another. Higher scores are
better: gain in PSNR of restorers, negative error of estimators. Writes a table, DIR/results.csv
and plots; `docs/sweeps.md` is the guide. Needs the extra `sweep`.
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
_SPACE = flags.DEFINE_string("space", None, "File with suggest(trial), and GRID for a grid.")
_STUDY = flags.DEFINE_string("study", None, "Name of the study in its storage.", required=True)
_STORAGE = flags.DEFINE_string(
    "storage", "", "FILE, journal:FILE or a database URL; empty: WORKDIR/study.db."
)
_TRIALS = flags.DEFINE_integer(
    "trials", None, "Trials of all workers together; default: 20, or the grid.", lower_bound=1
)
_SAMPLER = flags.DEFINE_enum("sampler", "tpe", studies.SAMPLERS, "What draws the trials.")
_PRUNER = flags.DEFINE_enum("pruner", "asha", studies.PRUNERS, "What gives poor ones up.")
_REDUCTION = flags.DEFINE_integer(
    "reduction", 3, "One trial in so many passes each rung of the pruner.", lower_bound=2
)
_HEARTBEAT = flags.DEFINE_integer(
    "heartbeat", 30, "Seconds between signs of life; dead is who misses five.", lower_bound=1
)
_RETRIES = flags.DEFINE_integer(
    "retries", 5, "How often a trial whose worker died is begun again.", lower_bound=0
)
_REPORT_ONLY = flags.DEFINE_bool("report_only", False, "Only report what the study has.")


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


def leave(number: int, _: Any) -> None:
    """Ends the program between trainings, which have a handler of their own.

    Later signals are ignored: they would cut short what the first has begun.
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
            report.write(opening.existing(chosen), chosen.workdir)
            return
        # The worker that a trial was taken from may need a moment to leave its folder.
        waiting = functools.partial(run, wait_for_folder=True)
        study, objective, trials = opening.join(chosen, waiting)
    for number in signals.stop_signals():
        if number != signal.SIGINT:  # raises KeyboardInterrupt
            signal.signal(number, leave)
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
