import optuna
import pytest

from experiments.sweeping.storage import open_storage


@pytest.mark.parametrize("prefix", ["", "sqlite:///", "journal:"])
def test_a_file_stores_a_study(tmp_path, prefix):
    where = f"{prefix}{tmp_path}/study"
    for _ in range(2):
        storage = open_storage(where, heartbeat=1, retries=1)
        study = optuna.create_study(storage=storage, study_name="any", load_if_exists=True)
        study.optimize(lambda trial: 1.0, n_trials=1)
    assert len(study.trials) == 2


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("{folder}/nowhere/study.db", "there is no folder .*/nowhere"),
        ("journal:{folder}/nowhere/study.log", "there is no folder .*/nowhere"),
        ("{folder}", "unable to open database file"),
        ("{folder}/text", "file is not a database"),
        ("oracle9://host/name", "not a database URL"),
        ("mysql+oursql9://user:secret@host/name", "not a database URL"),
        ("mysql+pyodbc://user:secret@host/name", "needs a driver: No module named 'pyodbc'"),
    ],
)
def test_a_storage_that_cannot_be_opened_is_named_without_its_password(tmp_path, where, message):
    (tmp_path / "text").write_text("no database" * 100)
    with pytest.raises(ValueError, match=message) as error:
        open_storage(where.format(folder=tmp_path), heartbeat=1, retries=1)
    assert "\n" not in f"{error.value}"
    assert "secret" not in f"{error.value}"


@pytest.mark.parametrize("prefix", ["", "journal:"])
def test_reading_creates_no_file(tmp_path, prefix):
    with pytest.raises(ValueError, match="no such file"):
        open_storage(f"{prefix}{tmp_path}/study", create=False, heartbeat=1, retries=1)
    assert not list(tmp_path.iterdir())
