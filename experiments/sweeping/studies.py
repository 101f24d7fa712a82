"""A study in its storage: its sampler, its pruner, and the identity its workers share."""

import json
from collections.abc import Mapping
from typing import Any

import optuna
from etils import epath
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler

from agarnet_jax.configs import differences
from experiments.sweeping.pruners import RetryAwareAsha, RetryAwareHyperband
from experiments.sweeping.spaces import Space

SAMPLERS = ("tpe", "random", "grid")
PRUNERS = ("asha", "hyperband", "none")
_IDENTITY = "identity"  # a single attribute, so that no other worker can see half of it


def make_sampler(name: str, space: Space) -> BaseSampler:
    """Returns a sampler; raises ValueError for grid search in a space without a grid."""
    if name == "grid":
        if space.grid is None:
            raise ValueError(
                f"--sampler=grid needs a grid: define GRID = {{parameter: [value, …]}} in the "
                f"space {space.name}, or choose tpe or random."
            )
        return GridSampler(space.grid, seed=0)  # the same order in every worker
    if name == "random":
        return RandomSampler()
    return TPESampler(constant_liar=True)  # keeps workers from trying similar parameters at once


def make_pruner(name: str, *, first_step: int, last_step: int, reduction: int) -> BasePruner:
    """Returns a pruner with rungs at `first_step` times powers of `reduction`.

    One in `reduction` trials passes each rung.
    """
    if name == "asha":
        return RetryAwareAsha(min_resource=first_step, reduction_factor=reduction)
    if name == "hyperband":
        return RetryAwareHyperband(
            min_resource=first_step, max_resource=last_step, reduction_factor=reduction
        )
    return NopPruner()


def identity(config: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Returns what all workers of a study must agree on, as plain JSON."""
    shared = {"config": config, "space": space.name, "space_sha256": space.sha256}
    return json.loads(json.dumps(shared))


def join(
    name: str,
    storage: optuna.storages.BaseStorage,
    expected: Mapping[str, Any],
    *,
    folder: epath.Path,
    sampler: BaseSampler,
    pruner: BasePruner,
) -> optuna.Study:
    """Opens a study, or creates it.

    Args:
      name: of the study.
      storage: where it is stored.
      expected: its `identity`.
      folder: the folder of its trials.
      sampler: draws the parameters of trials.
      pruner: stops poor trials early.

    Raises:
      ValueError: the study exists with another identity, or the folder has trials that the storage
        does not know and whose checkpoints would be used for new trials.
    """
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=sampler,
        pruner=pruner,
        direction="maximize",
        load_if_exists=True,
    )
    stored = study.user_attrs.get(_IDENTITY)
    if stored is None:
        if folder.is_dir() and any(folder.iterdir()):
            raise ValueError(
                f"{folder} has trials, but the storage has no study {name!r}; give the --storage "
                "that they were run with or another --study, or remove the folder."
            )
        study.set_user_attr(_IDENTITY, dict(expected))
        return study
    for key, value in expected.items():
        if difference := next(differences(stored.get(key), value, key), ""):
            raise ValueError(
                f"The study {name!r} was created with {difference}; use its configuration and "
                "space file, or another --study."
            )
    return study


def load(name: str, storage: optuna.storages.BaseStorage) -> optuna.Study:
    """Opens a study; raises ValueError if there is none of this name."""
    try:
        return optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        names = ", ".join(optuna.get_all_study_names(storage)) or "none"
        raise ValueError(f"The storage has no study {name!r}; its studies: {names}.") from None
