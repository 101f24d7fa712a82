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


def test_a_study_has_one_configuration_and_space(join, space):
    join(CONFIG, space)
    assert join(CONFIG, space).user_attrs["identity"]["space"] == "rates"
    with pytest.raises(ValueError, match=r"created with config\.train\.steps = 4, not 5;"):
        join({"train": CONFIG["train"] | {"steps": 5}}, space)
    with pytest.raises(ValueError, match=r"config\.train\.more = None, not 1"):
        join({"train": CONFIG["train"] | {"more": 1}}, space)
    with pytest.raises(ValueError, match="space_sha256"):
        join(CONFIG, dataclasses.replace(space, sha256="other"))


def test_workers_that_create_a_study_at_the_same_time_all_join(join, space, monkeypatch):
    set_user_attr = optuna.Study.set_user_attr

    def set_while_another_joins(study, key, value):
        set_user_attr(study, key, value)
        monkeypatch.setattr(optuna.Study, "set_user_attr", set_user_attr)
        join(CONFIG, space)

    monkeypatch.setattr(optuna.Study, "set_user_attr", set_while_another_joins)
    join(CONFIG, space)


def test_a_folder_with_trials_of_another_storage_is_rejected(tmp_path, join, space):
    (tmp_path / "trials" / "00000").mkdir(parents=True)
    for _ in range(2):  # a rejected study is not created
        with pytest.raises(ValueError, match="trials has trials, but the storage has no study"):
            join(CONFIG, space)
    (tmp_path / "trials" / "00000").rmdir()
    join(CONFIG, space)
    (tmp_path / "trials" / "00000").mkdir()
    join(CONFIG, space)


def test_a_missing_study_is_reported_with_the_existing_ones(tmp_path, join, space):
    join(CONFIG, space)
    storage = open_storage(f"{tmp_path}/study.db", heartbeat=1, retries=1)
    assert studies.load("test", storage).study_name == "test"
    with pytest.raises(ValueError, match="no study 'other'; its studies: test"):
        studies.load("other", storage)


def test_grid_search_needs_a_grid(space):
    with pytest.raises(ValueError, match="define GRID"):
        studies.make_sampler("grid", dataclasses.replace(space, grid=None))
