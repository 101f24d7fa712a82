import csv
import errno
import io

import optuna
import pytest
from etils import epath
from optuna.trial import TrialState
from PIL import Image

from agarnet_jax.atomic_files import UnwritableError
from experiments.sweeping import plots, report


@pytest.fixture
def study():
    """Four trials: 0 completes, 1 is pruned early with the best score, 2 completes, 3 runs."""
    study = optuna.create_study(direction="maximize")
    for score, step, state in ((0.1, 4, None), (0.9, 2, TrialState.PRUNED), (0.3, 4, None)):
        trial = study.ask()
        trial.suggest_float("rate", 0, 1)
        trial.suggest_int("width", 4, 8)
        trial.report(score, step)
        study.tell(trial, None if state else score, state=state)
    study.ask()
    return study


def test_completed_trials_come_first_ordered_by_score(study):
    rows = report.rows(study)
    assert [row.trial for row in rows] == [2, 0, 1, 3]
    assert [row.state for row in rows] == ["complete", "complete", "pruned", "running"]
    assert [(row.score, row.step) for row in rows[1:]] == [(0.1, 4), (0.9, 2), (None, None)]


def test_the_table_omits_columns_without_information(study):
    header, rule, best, *_ = report.table(report.rows(study)).splitlines()
    assert [cell.strip() for cell in header.split("|")[1:-1]] == [
        "trial",
        "state",
        "score",
        "step",
        "rate",
        "width",
    ]
    assert len(header) == len(rule) == len(best)
    assert best.split("|")[3].strip() == "0.3000"


def test_csv_has_all_columns_in_full_precision(study):
    rows = list(csv.DictReader(io.StringIO(report.csv_text(report.rows(study)))))
    assert [row["trial"] for row in rows] == ["2", "0", "1", "3"]
    assert float(rows[0]["rate"]) == study.trials[2].params["rate"]
    assert rows[0]["attempts"] == "1"
    assert rows[3]["score"] == ""


def test_plots_are_images(study):
    drawn = plots.draw(study)
    assert set(drawn) == {"history.png", "parallel_coordinates.png", "importance.png"}
    for png in drawn.values():
        with Image.open(io.BytesIO(png)) as picture:
            assert picture.width > 300


def test_a_study_without_completed_trials_has_no_plots():
    assert plots.draw(optuna.create_study()) == {}


def test_a_full_disk_is_reported_after_the_table_is_printed(study, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(report.plots, "draw", lambda _: {})
    workdir = epath.Path(tmp_path)
    monkeypatch.setattr(type(workdir), "write_bytes", full)
    with pytest.raises(UnwritableError, match=f"in {tmp_path} cannot be written: No space left"):
        report.write(study, workdir)
    assert report.table(report.rows(study)) in capsys.readouterr().out
