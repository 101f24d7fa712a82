"""A small study with a stand-in for training, in its own files."""

import pathlib

import optuna
import pytest

from experiments.config import default_config
from experiments.sweeping import spaces, studies
from experiments.sweeping.storage import open_storage
from experiments.sweeping.trials import Objective, study_folder

STEPS, EVERY = 4, 2


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def base():
    config = default_config("restorer")
    config.train.steps = STEPS
    config.train.eval_every = EVERY
    config.train.warmup_steps = 1
    return config


@pytest.fixture
def space():
    def suggest(trial):
        return {"train.learning_rate": trial.suggest_float("rate", 0.0, 1.0)}

    return spaces.Space("rates", "hash", suggest, {"rate": [0.25, 0.5, 0.75]})


@pytest.fixture
def open_study(tmp_path, space):
    """Opens the study as another worker would; `where` is --storage."""

    def open_study(where=f"{tmp_path}/study.db", *, sampler="random", pruner="none", retries=5):
        return studies.join(
            "test",
            open_storage(where, heartbeat=1, retries=retries),
            studies.identity({"train": {"steps": STEPS}}, space),
            folder=study_folder(tmp_path, "test"),
            sampler=studies.make_sampler(sampler, space),
            pruner=studies.make_pruner(pruner, first_step=EVERY, last_step=STEPS, reduction=3),
        )

    return open_study


class FakeRun:
    """Stands in for training: saves its step to a file of the folder, after reporting the score.

    The score is the learning rate plus a thousandth of the step.
    """

    def __init__(self):
        self.started_at = []
        self.before_saving = lambda step: None

    def __call__(self, experiment, workdir, *, on_evaluation, before_leaving):
        folder = pathlib.Path(workdir)
        folder.mkdir(parents=True, exist_ok=True)
        saved = folder / "step"
        start = int(saved.read_text()) if saved.exists() else 0
        self.started_at.append((folder.name, start))
        for step in range(start + EVERY, STEPS + 1, EVERY):
            on_evaluation(step, experiment.train.learning_rate + step / 1000)
            self.before_saving(step)
            saved.write_text(f"{step}")


@pytest.fixture
def run():
    return FakeRun()


@pytest.fixture
def objective(space, base, tmp_path, run):
    return Objective(space, base, f"{tmp_path}", run)
