"""Settings of a sweep: what varies, where the study is stored, and how it runs."""

import dataclasses

import ml_collections
from etils import epath

from experiments.sweeping.storage import JOURNAL
from experiments.sweeping.trials import study_folder

_DEFAULT_TRIALS = 20


@dataclasses.dataclass(frozen=True)
class SweepSettings:
    """The name of a study and the settings of its workers.

    workdir: the folder for trials and reports. storage: a file, journal:FILE or a database URL;
    "" is `study.db` in `workdir`. config, space: the base experiment and the path of the space
    file; only a report needs neither. sampler, pruner: from `studies.SAMPLERS` and `PRUNERS`; one
    trial in `reduction` passes each rung. trials: total over all workers; None: 20, or the whole
    grid. heartbeat: its interval in seconds. retries: restarts of a trial whose worker died.
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
        """Interval between searches for trials of dead workers; None without heartbeats."""
        return None if self.storage.startswith(JOURNAL) else self.heartbeat

    def number_of_trials(self, grid_size: int) -> int:
        """Returns the total number of trials; for a grid, at most its number of combinations."""
        if self.sampler == "grid":
            return grid_size if self.trials is None else min(self.trials, grid_size)
        return _DEFAULT_TRIALS if self.trials is None else self.trials
