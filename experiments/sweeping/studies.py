"""A study in its storage: what draws its trials, what gives them up, and what it is a study of."""

import json
from collections.abc import Mapping
from typing import Any

import optuna
from etils import epath
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler

from agarnet_jax.configs import differences
from experiments.sweeping.pruners import AshaPruner, HyperbandOfSurvivors
from experiments.sweeping.spaces import Space

SAMPLERS = ("tpe", "random", "grid")
PRUNERS = ("asha", "hyperband", "none")
_IDENTITY = "identity"  # one attribute, as workers that begin together must not see half of it


def make_sampler(name: str, space: Space) -> BaseSampler:
    """Makes a sampler; raises ValueError if a grid is asked of a space without one."""
    if name == "grid":
        if space.grid is None:
            raise ValueError(
                f"--sampler=grid needs the values: define GRID = {{parameter: [value, …]}} in the "
                f"space {space.name}, or choose tpe or random."
            )
        return GridSampler(space.grid, seed=0)  # every worker has the same order
    if name == "random":
        return RandomSampler()
    return TPESampler(constant_liar=True)  # else workers would try the same at the same time


def make_pruner(name: str, *, first_step: int, last_step: int, reduction: int) -> BasePruner:
    """Makes a pruner with rungs at `first_step` times powers of `reduction`.

    One in `reduction` trials passes each rung.
    """
    if name == "asha":
        return AshaPruner(min_resource=first_step, reduction_factor=reduction)
    if name == "hyperband":
        return HyperbandOfSurvivors(
            min_resource=first_step, max_resource=last_step, reduction_factor=reduction
        )
    return NopPruner()


def identity(config: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Returns what all workers of a study must agree on, as plain JSON."""
    identified = {"config": config, "space": space.name, "space_sha256": space.sha256}
    return json.loads(json.dumps(identified))


def join(
    name: str,
    storage: optuna.storages.BaseStorage,
    identified: Mapping[str, Any],
    *,
    folder: epath.Path,
    sampler: BaseSampler,
    pruner: BasePruner,
) -> optuna.Study:
    """Opens a study, or begins it. `folder` is that of its trials.

    Raises:
      ValueError: there is such a study already, of another configuration or space; or the folder
        has trials that the storage does not know, whose training would count for others.
    """
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=sampler,
        pruner=pruner,
        direction="maximize",
        load_if_exists=True,
    )
    known = study.user_attrs.get(_IDENTITY)
    if known is None:
        if folder.is_dir() and any(folder.iterdir()):
            raise ValueError(
                f"{folder} has trials, but the storage knows no study {name}; give the --storage "
                "they were made with, or another --study, or remove the folder."
            )
        study.set_user_attr(_IDENTITY, dict(identified))
        return study
    for key, value in identified.items():
        if difference := next(differences(known.get(key), value, key), ""):
            raise ValueError(
                f"The study {name} was begun with {difference} as now; "
                "use what it was begun with, or another --study."
            )
    return study


def load(name: str, storage: optuna.storages.BaseStorage) -> optuna.Study:
    """Opens a study; raises ValueError if there is none of this name."""
    try:
        return optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        names = ", ".join(optuna.get_all_study_names(storage)) or "none"
        raise ValueError(f"The storage has no study {name!r}; it has: {names}.") from None
