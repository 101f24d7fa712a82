"""Opens everything a sweep worker needs: images, search space, storage and study."""

import optuna

from agarnet_jax import runtime
from agarnet_jax.remote_paths import is_remote
from data_pipelines import batching, held_out
from experiments.config import ExperimentConfig, from_config_dict
from experiments.sweeping import spaces, studies
from experiments.sweeping.settings import SweepSettings
from experiments.sweeping.storage import open_storage
from experiments.sweeping.trials import Objective, TrainingRun


def join(settings: SweepSettings, run: TrainingRun) -> tuple[optuna.Study, Objective, int]:
    """Checks all settings, then opens or creates the study.

    Args:
      settings: the sweep.
      run: the function that trains.

    Returns:
      The study, the objective that its trials maximize, and its total number of trials.

    Raises:
      ValueError, OSError, ModuleNotFoundError: the settings are invalid, name something that cannot
        be opened, or do not match the study.
    """
    base = settings.config
    if base is None or not settings.space:
        raise ValueError("Give --config and --space, or --report_only for an existing study.")
    experiment, space = from_config_dict(base), spaces.load(settings.space)
    images = _images(experiment)
    spaces.check(space, base)
    sampler = studies.make_sampler(settings.sampler, space)
    pruner = studies.make_pruner(
        settings.pruner,
        first_step=experiment.train.eval_every,
        last_step=experiment.train.steps,
        reduction=settings.reduction,
    )
    study = studies.join(
        settings.study,
        open_study_storage(settings),
        studies.identity(experiment.settings() | images, space),
        folder=settings.folder,
        sampler=sampler,
        pruner=pruner,
    )
    runtime.prepare(batch_size=experiment.batch_size_gcd)
    objective = Objective(space, base, f"{settings.workdir}", run)
    return study, objective, settings.number_of_trials(space.grid_size)


def load_existing(settings: SweepSettings) -> optuna.Study:
    """Opens an existing study; raises ValueError if there is none."""
    return studies.load(settings.study, open_study_storage(settings, create=False))


def open_study_storage(
    settings: SweepSettings, *, create: bool = True
) -> optuna.storages.BaseStorage:
    """Opens the storage that the settings name, by default a file in the working folder.

    Raises:
      ValueError: the storage cannot be opened, or the default file would be in a bucket.
    """
    where = settings.storage
    if not where:
        if is_remote(settings.workdir):
            raise ValueError("--workdir is a bucket, which cannot hold a database; give --storage.")
        if create:
            settings.workdir.mkdir(parents=True, exist_ok=True)
        where = f"{settings.workdir}/study.db"
    return open_storage(
        where, create=create, heartbeat=settings.heartbeat, retries=settings.retries
    )


def _images(experiment: ExperimentConfig) -> dict[str, str]:
    """Returns summaries of the images, which all workers of a study must agree on.

    Raises:
      ValueError, OSError: there are no training images or no held-out images.
    """
    if not experiment.data.eval_dir:
        raise ValueError(
            "config.data.eval_dir is empty, so no trial would have a score; "
            "give --config.data.eval_dir=FOLDER."
        )
    return {
        "training_images": batching.train_source(experiment.data).summary(),
        "held_out_images": held_out.eval_source(experiment.data).summary(),
    }
