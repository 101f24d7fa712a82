"""The results of a study: a table, a CSV file and plots."""

import csv
import dataclasses
import io
import math
from typing import Any

import optuna
from etils import epath
from optuna.trial import FrozenTrial, TrialState

from agarnet_jax.atomic_files import UnwritableError
from experiments.markdown import aligned_table
from experiments.sweeping import plots
from experiments.sweeping.attempts import count_attempts, first_number, latest_attempts
from experiments.sweeping.trials import REASON

_ORDER = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING, TrialState.WAITING)
_WORKER_DIED = "its worker died, and no --retries are left"


@dataclasses.dataclass(frozen=True)
class Row:
    """One trial. `score` and `step` are those of its last evaluation, None before the first."""

    trial: int
    state: str
    score: float | None
    step: int | None
    attempts: int
    params: dict[str, Any]
    reason: str


def rows(study: optuna.Study) -> list[Row]:
    """Returns all trials, best first: completed by score, pruned by score, then the others."""

    def rank(trial: FrozenTrial) -> tuple[int, float, int]:
        order = _ORDER.index(trial.state) if trial.state in _ORDER else len(_ORDER)
        score = _score(trial)
        comparable = score is not None and math.isfinite(score)
        return order, -score if comparable else math.inf, trial.number  # type: ignore[operator]

    return [
        _row(trial) for trial in sorted(latest_attempts(study.get_trials(deepcopy=False)), key=rank)
    ]


def _score(trial: FrozenTrial) -> float | None:
    return None if trial.last_step is None else trial.intermediate_values[trial.last_step]


def _row(trial: FrozenTrial) -> Row:
    failed = trial.state == TrialState.FAIL
    return Row(
        trial=first_number(trial),
        state=trial.state.name.lower(),
        score=_score(trial),
        step=trial.last_step,
        attempts=count_attempts(trial),
        params=trial.params,
        reason=trial.user_attrs.get(REASON, _WORKER_DIED if failed else ""),
    )


def table(rows: list[Row]) -> str:
    """Formats a Markdown table; omits the columns of attempts and reasons if they add nothing."""
    cells = _cells(rows)
    columns = [
        column
        for column in zip(*cells)
        if not (column[0] == "attempts" and set(column[1:]) <= {"0", "1"})
        and not (column[0] == "reason" and not any(column[1:]))
    ]
    header, *lines = zip(*columns)
    return aligned_table(header, lines, left_aligned=())


def write(study: optuna.Study, workdir: epath.Path) -> None:
    """Prints the table and writes results.csv and the plots to the working folder.

    Raises:
      UnwritableError: they cannot be written.
    """
    results = rows(study)
    print(table(results))
    files = {"results.csv": csv_text(results).encode(), **plots.draw(study)}
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (workdir / name).write_bytes(content)
    except OSError as error:
        raise UnwritableError(
            f"The results in {workdir} cannot be written: {error.strerror or error}."
        ) from None
    print(f"Wrote {', '.join(files)} to {workdir}.")


def csv_text(rows: list[Row]) -> str:
    """Formats all columns as CSV, with numbers in full precision."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(_cells(rows, full=True))
    return text.getvalue()


def _cells(rows: list[Row], *, full: bool = False) -> list[list[str]]:
    names = sorted({name for row in rows for name in row.params})
    header = ["trial", "state", "score", "step", "attempts", *names, "reason"]

    def text(value: Any, float_format: str) -> str:
        if value is None:
            return ""
        return format(value, float_format) if isinstance(value, float) and not full else f"{value}"

    body = [
        [
            f"{row.trial}",
            row.state,
            text(row.score, ".4f"),
            text(row.step, ""),
            f"{row.attempts}",
            *(text(row.params.get(name), ".3g") for name in names),
            row.reason,
        ]
        for row in rows
    ]
    return [header, *body]
