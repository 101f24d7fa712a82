"""Search spaces: Python files whose `suggest(trial)` returns values by dotted setting names."""

import dataclasses
import difflib
import hashlib
import math
import pathlib
import runpy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ml_collections
import optuna

from experiments.config import ExperimentConfig, from_config_dict
from experiments.config_file import setting_names


@dataclasses.dataclass(frozen=True)
class Space:
    """A space file: its name, the SHA-256 of its text, and its definitions.

    `grid` maps every parameter to its values for grid search; None if the file has no `GRID`.
    """

    name: str
    sha256: str
    suggest: Callable[[optuna.Trial], Mapping[str, Any]]
    grid: Mapping[str, Sequence[Any]] | None = None

    @property
    def grid_size(self) -> int:
        """Number of combinations."""
        return math.prod(map(len, (self.grid or {}).values()))


def load(path: str) -> Space:
    """Executes a space file.

    Raises:
      ValueError: the file does not exist, raises an error, or does not define a space.
    """
    file = pathlib.Path(path)
    if not file.is_file():
        raise ValueError(f"--space={path} is not a file; give a Python file with suggest(trial).")
    try:
        definitions = runpy.run_path(path)
    except Exception as error:
        raise ValueError(f"{path} cannot be executed: {type(error).__name__}: {error}") from error
    suggest, grid = definitions.get("suggest"), definitions.get("GRID")
    if not callable(suggest):
        raise ValueError(
            f"{path} has no function suggest(trial); define one that returns "
            "{dotted name of a setting: value}."
        )
    if grid is not None and not _is_grid(grid):
        raise ValueError(f"GRID of {path} is {grid!r}; expected {{parameter: [value, …]}}.")
    return Space(file.stem, hashlib.sha256(file.read_bytes()).hexdigest(), suggest, grid)


def _is_grid(grid: Any) -> bool:
    return (
        isinstance(grid, Mapping)
        and bool(grid)
        and all(isinstance(values, (list, tuple)) and values for values in grid.values())
    )


def override(base: ml_collections.ConfigDict, values: Mapping[str, Any]) -> ExperimentConfig:
    """Returns the experiment of `base` with the given settings replaced.

    Args:
      base: a configuration.
      values: new values by the dotted names of their settings.

    Raises:
      ValueError: a setting does not exist, or its value has the wrong type or is out of range.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"suggest(trial) returned {values!r}; expected {{dotted name: value}}.")
    names = list(setting_names(base))
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1, cutoff=0)[0]
            raise ValueError(f"The space sets {name!r}, which does not exist; did you mean {near}?")
    config = base.copy_and_resolve_references()
    for name, value in values.items():
        try:
            config.update_from_flattened_dict({name: value})
        except TypeError as error:
            raise ValueError(f"The space sets {name} to {value!r}: {error}") from error
    return from_config_dict(config)


def check(space: Space, base: ml_collections.ConfigDict) -> None:
    """Draws one trial from a space, outside any study, and checks its settings.

    Raises:
      ValueError: as `override`, or `grid` and `suggest` have different parameters.
    """
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    override(base, space.suggest(trial))
    if space.grid is not None and set(space.grid) != set(trial.params):
        raise ValueError(
            f"GRID of the space {space.name} has the parameters {', '.join(sorted(space.grid))}, "
            f"but suggest(trial) has {', '.join(sorted(trial.params))}; use the same names."
        )
