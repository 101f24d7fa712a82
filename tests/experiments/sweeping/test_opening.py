"""A worker's settings and what it opens; ../test_sweep.py tests the whole program."""

import pytest
from etils import epath

from experiments.sweeping.opening import join, load_existing, open_study_storage
from experiments.sweeping.settings import SweepSettings


@pytest.mark.parametrize(
    ("sampler", "requested", "number"),
    [("tpe", None, 20), ("tpe", 7, 7), ("grid", None, 6), ("grid", 4, 4), ("grid", 7, 6)],
)
def test_a_grid_limits_the_number_of_trials(tmp_path, sampler, requested, number):
    settings = SweepSettings("test", epath.Path(tmp_path), sampler=sampler, trials=requested)
    assert settings.number_of_trials(6) == number


def test_only_databases_are_polled_for_dead_workers(tmp_path):
    workdir = epath.Path(tmp_path)
    for storage in ("", "study.db", "postgresql://host/name"):
        assert SweepSettings("test", workdir, storage=storage, heartbeat=7).poll_seconds == 7
    assert SweepSettings("test", workdir, storage="journal:study.log").poll_seconds is None


def test_the_default_storage_is_a_file_in_the_working_folder(tmp_path):
    workdir = epath.Path(tmp_path) / "out"
    with pytest.raises(ValueError, match=r"no study in .*out/study\.db: no such file"):
        load_existing(SweepSettings("test", workdir))
    assert not workdir.exists()
    open_study_storage(SweepSettings("test", workdir))
    assert (workdir / "study.db").exists()
    open_study_storage(SweepSettings("test", workdir, storage=f"{tmp_path}/other.db"))
    assert (tmp_path / "other.db").exists()
    with pytest.raises(
        ValueError, match="is a bucket, which cannot hold a database; give --storage"
    ):
        open_study_storage(SweepSettings("test", epath.Path("gs://bucket/folder")))


def test_config_and_space_are_required(tmp_path, base, run):
    for given in ({"config": base}, {"space": "rates.py"}):
        with pytest.raises(ValueError, match="Give --config and --space"):
            join(SweepSettings("test", epath.Path(tmp_path), **given), run)
