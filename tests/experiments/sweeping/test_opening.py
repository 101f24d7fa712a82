"""What a worker is told and opens; the whole program: ../test_sweep.py."""

import pytest
from etils import epath

from experiments.sweeping.opening import existing, join, storage_of
from experiments.sweeping.settings import SweepSettings


@pytest.mark.parametrize(
    ("sampler", "asked", "number"),
    [("tpe", None, 20), ("tpe", 7, 7), ("grid", None, 6), ("grid", 4, 4), ("grid", 7, 6)],
)
def test_the_number_of_trials(tmp_path, sampler, asked, number):
    settings = SweepSettings("test", epath.Path(tmp_path), sampler=sampler, trials=asked)
    assert settings.number_of_trials(6) == number


def test_only_databases_tell_of_dead_workers(tmp_path):
    workdir = epath.Path(tmp_path)
    for storage in ("", "study.db", "postgresql://host/name"):
        assert SweepSettings("test", workdir, storage=storage, heartbeat=7).poll_seconds == 7
    assert SweepSettings("test", workdir, storage="journal:study.log").poll_seconds is None


def test_the_storage_is_a_file_of_the_working_folder_unless_named(tmp_path):
    workdir = epath.Path(tmp_path) / "out"
    with pytest.raises(ValueError, match=r"no study in .*out/study\.db: no such file"):
        existing(SweepSettings("test", workdir))
    assert not workdir.exists()
    storage_of(SweepSettings("test", workdir))
    assert (workdir / "study.db").exists()
    storage_of(SweepSettings("test", workdir, storage=f"{tmp_path}/other.db"))
    assert (tmp_path / "other.db").exists()
    with pytest.raises(ValueError, match="is a bucket, which holds no database; give --storage"):
        storage_of(SweepSettings("test", epath.Path("gs://bucket/folder")))


def test_what_to_sweep_must_be_named(tmp_path, base, run):
    for given in ({"config": base}, {"space": "rates.py"}):
        with pytest.raises(ValueError, match="Give --config and --space"):
            join(SweepSettings("test", epath.Path(tmp_path), **given), run)
