"""What was scored: every image of every case by every method, and the means that tables show."""

import csv
import dataclasses
import io
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from experiments.evaluating import scoring
from experiments.evaluating.inputs import Course, ImageSet
from experiments.evaluating.scoring import Scores
from experiments.evaluating.suites import Case

INPUT = "JPEG"  # the degraded image as it came


@dataclasses.dataclass(frozen=True)
class Record:
    """Scores of one image of a set, on one course, by one method; `cases` are all it counts for."""

    images: str
    index: int
    name: str
    course: Course
    cases: tuple[Case, ...]
    method: str
    scores: Scores

    @property
    def suites(self) -> str:
        return " ".join(dict.fromkeys(case.suite for case in self.cases))


class Results:
    """Records, found by case and method."""

    def __init__(
        self, records: Iterable[Record], sets: dict[str, ImageSet], *, limit: int | None = None
    ):
        self.records = list(records)
        self._sets, self._limit = sets, limit
        self._found = {
            (record.images, record.course, record.method, record.index): record.scores
            for record in self.records
        }

    def indices(self, case: Case) -> range:
        """Returns the numbers in the set of a case's images."""
        return indices(case, self._sets[case.images], limit=self._limit)

    def size(self, case: Case) -> int:
        """Counts the images of a case's set."""
        return len(self._sets[case.images])

    def scores(self, case: Case, method: str) -> list[Scores]:
        """Returns the scores of a case's images in their order; empty if one is missing."""
        keys = [(case.images, case.course, method, index) for index in self.indices(case)]
        found = [self._found[key] for key in keys if key in self._found]
        return found if len(found) == len(keys) else []

    def is_whole(self, case: Case) -> bool:
        """Tells whether a case has all images of its set, as those of papers have."""
        return len(self.indices(case)) == self.size(case)

    def mean(self, cases: Case | Sequence[Case], method: str, metric: str) -> float | None:
        """Averages over images of a case, then over cases; None if a score is missing."""
        if isinstance(cases, Case):
            return scoring.mean([getattr(s, metric) for s in self.scores(cases, method)])
        return scoring.mean([self.mean(case, method, metric) for case in cases])

    def gain(self, cases: Case | Sequence[Case], method: str) -> float | None:
        """Averages the gain in PSNR over the input, over images of a case, then over cases.

        It is 0 for an image that compression and restoration leave as it was; None if a score is
        missing.
        """
        if not isinstance(cases, Case):
            return scoring.mean([self.gain(case, method) for case in cases])
        pairs = zip(self.scores(cases, method), self.scores(cases, INPUT))
        return scoring.mean([scoring.gain(restored, before) for restored, before in pairs])

    def estimate(self, case: Case, method: str) -> tuple[float, float] | None:
        """Returns mean and standard deviation over images of the estimated quality."""
        values = [s.estimate for s in self.scores(case, method) if s.estimate is not None]
        return (statistics.fmean(values), statistics.pstdev(values)) if values else None

    def methods(self, cases: Iterable[Case]) -> list[str]:
        """Lists methods with a score in any of the cases, in the run's order; the input first."""
        wanted = {(case.images, case.course) for case in cases}
        found = dict.fromkeys(
            record.method for record in self.records if (record.images, record.course) in wanted
        )
        return list(found)


def indices(case: Case, images: ImageSet, *, limit: int | None) -> range:
    """Returns the numbers of every `case.every`th image, at most `limit` of them."""
    return range(0, len(images), case.every)[:limit]


_COLUMNS = ("suites", "set", "image", "case", "degradation", "method", *scoring.METRICS, "estimate")


def plain(record: Record) -> dict[str, Any]:
    """Makes one row of `scores.csv`, numbers in full."""
    scores = dataclasses.asdict(record.scores)
    values = (
        record.suites,
        record.images,
        record.name,
        record.cases[0].column,
        repr(record.course),
        record.method,
        *(scores[metric] for metric in scoring.METRICS),
        record.scores.estimate,
    )
    return dict(zip(_COLUMNS, values))


def csv_text(records: Iterable[Record]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(plain, records))
    return text.getvalue()
