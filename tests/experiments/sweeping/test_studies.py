import dataclasses

import optuna
import pytest
from etils import epath

from experiments.sweeping import studies
from experiments.sweeping.storage import open_storage

CONFIG = {"train": {"steps": 4, "pairs": ((1, 2),)}}


@pytest.fixture
def join(tmp_path):
    storage = open_storage(f"{tmp_path}/study.db", heartbeat=1, retries=1)

    def join(config, space):
        return studies.join(
            "test",
            storage,
            studies.identity(config, space),
            folder=epath.Path(tmp_path / "trials"),
            sampler=studies.make_sampler("tpe", space),
            pruner=studies.make_pruner("asha", first_step=2, last_step=4, reduction=3),
        )

    return join


def test_a_study_is_of_one_configuration_and_space(join, space):
    join(CONFIG, space)
    assert join(CONFIG, space).user_attrs["identity"]["space"] == "rates"
    with pytest.raises(ValueError, match=r"begun with config\.train\.steps = 4, not 5 as now"):
        join({"train": CONFIG["train"] | {"steps": 5}}, space)
    with pytest.raises(ValueError, match=r"config\.train\.more = None, not 1"):
        join({"train": CONFIG["train"] | {"more": 1}}, space)
    with pytest.raises(ValueError, match="space_sha256"):
        join(CONFIG, dataclasses.replace(space, sha256="other"))


def test_workers_that_begin_a_study_together_all_join(join, space, monkeypatch):
    told = optuna.Study.set_user_attr

    def tell_while_another_joins(study, key, value):
        told(study, key, value)
        monkeypatch.setattr(optuna.Study, "set_user_attr", told)
        join(CONFIG, space)

    monkeypatch.setattr(optuna.Study, "set_user_attr", tell_while_another_joins)
    join(CONFIG, space)


def test_trials_of_another_storage_are_not_taken_up(tmp_path, join, space):
    (tmp_path / "trials" / "00000").mkdir(parents=True)
    for _ in range(2):  # refused once, it is not begun
        with pytest.raises(ValueError, match="trials has trials, but the storage knows no study"):
            join(CONFIG, space)
    (tmp_path / "trials" / "00000").rmdir()
    join(CONFIG, space)
    (tmp_path / "trials" / "00000").mkdir()
    join(CONFIG, space)


def test_a_study_that_is_not_there(tmp_path, join, space):
    join(CONFIG, space)
    storage = open_storage(f"{tmp_path}/study.db", heartbeat=1, retries=1)
    assert studies.load("test", storage).study_name == "test"
    with pytest.raises(ValueError, match="no study 'other'; it has: test"):
        studies.load("other", storage)


def test_a_grid_needs_values(space):
    with pytest.raises(ValueError, match="define GRID"):
        studies.make_sampler("grid", dataclasses.replace(space, grid=None))
