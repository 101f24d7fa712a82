"""Sweeps settings of an experiment: many short trainings, the poor ones given up early.

    python -m experiments.sweep --config=experiments/configs/smoke.py \
      --space=experiments/sweeps/lr_width.py --study=NAME --workdir=DIR --trials=20 \
      --config.data.train_dir=FOLDER --config.data.eval_dir=FOLDER [--config.KEY=VALUE …]

Run the same command again, here or on other machines that share --storage and --workdir, for more
workers; a trial whose worker died goes on from its checkpoint in another. Higher scores are
better: gain in PSNR of restorers, negative error of estimators. Writes a table, DIR/results.csv
and plots; `docs/sweeps.md` is the guide. Needs the extra `sweep`.
"""

import signal
import sys
from typing import Any

from absl import flags
from etils import epath
from ml_collections import config_flags

from agarnet_jax import runtime
from agarnet_jax.places import check_reachable, is_remote
from data_pipelines import batching
from experiments import program
from experiments.config import ExperimentConfig, from_config_dict
from experiments.training_run import run

with program.one_line_errors():  # the extra may be missing
    import optuna

    from experiments.sweeping import plots, report, spaces, studies, worker
    from experiments.sweeping.storage import JOURNAL, open_storage
    from experiments.sweeping.trials import INTERRUPTED, Objective, study_folder

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

_DEFAULT_TRIALS = 20


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    workdir = epath.Path(_WORKDIR.value)
    with program.one_line_errors():
        check_reachable(_WORKDIR.value)
        if _REPORT_ONLY.value:
            write_report(studies.load(_STUDY.value, storage_for(workdir, create=False)), workdir)
            return
        study, objective, trials = join(workdir)
    signal.signal(signal.SIGTERM, leave)
    can_tell = not _STORAGE.value.startswith(JOURNAL)
    failure = None
    try:
        poll_seconds = _HEARTBEAT.value if can_tell else None
        worker.work(study, objective, trials=trials, poll_seconds=poll_seconds)
    except worker.RepeatedFailureError as error:
        failure = f"{error}"
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    write_report(study, workdir)
    raise SystemExit(failure)


def leave(number: int, _: Any) -> None:
    """Ends the program between trainings, which have a handler of their own: once, as a second
    signal would cut short what the first has begun."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def join(workdir: epath.Path) -> tuple[optuna.Study, Objective, int]:
    """Checks everything, then opens the study; returns it, its objective, its number of trials."""
    base = _CONFIG.value
    if base is None or not _SPACE.value:
        raise ValueError("Give --config and --space, what to sweep; or --report_only.")
    experiment, space = from_config_dict(base), spaces.load(_SPACE.value)
    images = check_data(experiment)
    spaces.check(space, base)
    sampler = studies.make_sampler(_SAMPLER.value, space)
    settings = experiment.train
    pruner = studies.make_pruner(
        _PRUNER.value,
        first_step=settings.eval_every,
        last_step=settings.steps,
        reduction=_REDUCTION.value,
    )
    study = studies.join(
        _STUDY.value,
        storage_for(workdir),
        studies.identity(experiment.settings() | images, space),
        folder=study_folder(workdir, _STUDY.value),
        sampler=sampler,
        pruner=pruner,
    )
    runtime.prepare(batch_size=experiment.devices_divide)
    size = space.grid_size if _SAMPLER.value == "grid" else _DEFAULT_TRIALS
    trials = size if _TRIALS.value is None else _TRIALS.value
    if _SAMPLER.value == "grid":
        trials = min(trials, size)
    return study, Objective(space, base, f"{workdir}", run), trials


def check_data(experiment: ExperimentConfig) -> dict[str, str]:
    """What tells the images of one study from others.

    Raises:
      ValueError, OSError: there is nothing to train on, or to score on.
    """
    if not experiment.data.eval_dir:
        raise ValueError(
            "data.eval_dir is empty, so no trial would have a score; "
            "give --config.data.eval_dir=FOLDER."
        )
    return {
        "training_images": batching.train_source(experiment.data).summary(),
        "held_out_images": batching.eval_source(experiment.data).summary(),
    }


def storage_for(workdir: epath.Path, *, create: bool = True) -> optuna.storages.BaseStorage:
    """The storage that the flags name; by default a file in the working folder."""
    where = _STORAGE.value
    if not where:
        if is_remote(workdir):
            raise ValueError("--workdir is a bucket, which holds no database; give --storage.")
        if create:
            workdir.mkdir(parents=True, exist_ok=True)
        where = f"{workdir}/study.db"
    return open_storage(where, create=create, heartbeat=_HEARTBEAT.value, retries=_RETRIES.value)


def write_report(study: optuna.Study, workdir: epath.Path) -> None:
    """Prints the table and writes it, with plots, into the working folder."""
    rows = report.rows(study)
    print(report.table(rows))
    workdir.mkdir(parents=True, exist_ok=True)
    (workdir / "results.csv").write_text(report.csv_text(rows))
    drawn = plots.draw(study)
    for name, png in drawn.items():
        (workdir / name).write_bytes(png)
    print(f"Wrote {', '.join(['results.csv', *drawn])} to {workdir}.")


if __name__ == "__main__":
    program.start(main)
