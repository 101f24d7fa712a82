"""What to sweep, where the study is kept, and how it is run."""

import dataclasses

import ml_collections
from etils import epath

from experiments.sweeping.storage import JOURNAL
from experiments.sweeping.trials import study_folder

_DEFAULT_TRIALS = 20


@dataclasses.dataclass(frozen=True)
class SweepSettings:
    """A study by its name, and what its workers are told.

    workdir: the folder for trials and reports. storage: a file, journal:FILE or a database URL;
    "" is `study.db` in `workdir`. config, space: the experiment and the file that says what varies
    in it; only a report needs neither. sampler, pruner: of `studies.SAMPLERS` and `PRUNERS`;
    one trial in `reduction` passes each rung. trials: of all workers together; None: 20, or the
    whole grid. heartbeat: seconds. retries: of a trial whose worker died.
    """

    study: str
    workdir: epath.Path
    storage: str = ""
    config: ml_collections.ConfigDict | None = None
    space: str | None = None
    sampler: str = "tpe"
    pruner: str = "asha"
    reduction: int = 3
    trials: int | None = None
    heartbeat: int = 30
    retries: int = 5

    @property
    def folder(self) -> epath.Path:
        """The folder of the study's trials."""
        return study_folder(self.workdir, self.study)

    @property
    def poll_seconds(self) -> float | None:
        """How often to look for trials of dead workers; None: the storage does not tell of them."""
        return None if self.storage.startswith(JOURNAL) else self.heartbeat

    def number_of_trials(self, grid_size: int) -> int:
        """How many trials the study shall have; a grid has no more than its combinations."""
        if self.sampler == "grid":
            return grid_size if self.trials is None else min(self.trials, grid_size)
        return _DEFAULT_TRIALS if self.trials is None else self.trials
