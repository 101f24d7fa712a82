"""Paired timing: every case runs in every round, so noise on the machine affects all alike."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Case = Callable[[], Any]  # runs once and returns when its result is ready


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of a case: the `first` call, including compilation; wall and CPU time per round."""

    first: float
    wall: list[float]
    cpu: list[float]

    def ratio(self, other: "Timing") -> list[float]:
        """Returns the wall time divided by another case's, for each round."""
        return [own / others for own, others in zip(self.wall, other.wall)]


def compare(cases: Mapping[str, Case], *, rounds: int = 7) -> dict[str, Timing]:
    """Times all cases: a first call and a warm-up each, then `rounds` rounds in turn."""
    first = {name: _measure(case)[0] for name, case in cases.items()}
    for case in cases.values():
        case()
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            samples[name].append(_measure(case))
    return {
        name: Timing(first[name], [wall for wall, _ in s], [cpu for _, cpu in s])
        for name, s in samples.items()
    }


def spread(values: list[float], digits: int = 2) -> str:
    """Formats median and range, such as `1.23 (1.20–1.31)`."""
    median, low, high = statistics.median(values), min(values), max(values)
    return f"{median:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def milliseconds(values: list[float]) -> list[float]:
    return [1000 * value for value in values]


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a Markdown table, each row as soon as it is available."""
    print(f"\n**{title}**\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def _measure(case: Case) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    case()
    return time.perf_counter() - wall, time.process_time() - cpu
