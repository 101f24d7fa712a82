"""Scores of every image by case and method, and the means shown in tables."""

import csv
import dataclasses
import io
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from experiments.evaluating import scoring
from experiments.evaluating.inputs import AnyDegradation, ImageSet
from experiments.evaluating.scoring import Scores
from experiments.evaluating.suites import Case

INPUT = "JPEG"  # the method name of the degraded image itself


@dataclasses.dataclass(frozen=True)
class Record:
    """Scores of one image with one degradation by one method, and all cases that use them."""

    images: str
    index: int
    name: str
    degradation: AnyDegradation
    cases: tuple[Case, ...]
    method: str
    scores: Scores

    @property
    def suites(self) -> str:
        return " ".join(dict.fromkeys(case.suite for case in self.cases))


class Results:
    """Records, indexed by case and method."""

    def __init__(
        self, records: Iterable[Record], sets: dict[str, ImageSet], *, limit: int | None = None
    ):
        self.records = list(records)
        self._sets, self._limit = sets, limit
        self._found = {
            (record.images, record.degradation, record.method, record.index): record.scores
            for record in self.records
        }

    def indices(self, case: Case) -> range:
        """Returns the indices of a case's images within their set."""
        return indices(case, self._sets[case.images], limit=self._limit)

    def size(self, case: Case) -> int:
        """Returns the number of images in a case's set."""
        return len(self._sets[case.images])

    def scores(self, case: Case, method: str) -> list[Scores]:
        """Returns the scores of a case's images in order; empty if one is missing."""
        keys = [(case.images, case.degradation, method, index) for index in self.indices(case)]
        found = [self._found[key] for key in keys if key in self._found]
        return found if len(found) == len(keys) else []

    def is_complete(self, case: Case) -> bool:
        """Whether a case uses all images of its set, as the papers do."""
        return len(self.indices(case)) == self.size(case)

    def mean(self, cases: Case | Sequence[Case], method: str, metric: str) -> float | None:
        """Averages a metric over images, then over cases; None if a score is missing."""
        if isinstance(cases, Case):
            return scoring.mean([getattr(s, metric) for s in self.scores(cases, method)])
        return scoring.mean([self.mean(case, method, metric) for case in cases])

    def gain(self, cases: Case | Sequence[Case], method: str) -> float | None:
        """Averages the PSNR gain over the input, over images, then over cases.

        The gain of an image is 0 if neither compression nor restoration changed it. Returns None if
        a score is missing.
        """
        if not isinstance(cases, Case):
            return scoring.mean([self.gain(case, method) for case in cases])
        pairs = zip(self.scores(cases, method), self.scores(cases, INPUT))
        return scoring.mean([scoring.gain(restored, before) for restored, before in pairs])

    def estimate(self, case: Case, method: str) -> tuple[float, float] | None:
        """Returns mean and standard deviation of the estimated quality over images."""
        values = [s.estimate for s in self.scores(case, method) if s.estimate is not None]
        return (statistics.fmean(values), statistics.pstdev(values)) if values else None

    def methods(self, cases: Iterable[Case]) -> list[str]:
        """Lists the methods with scores in any of the cases, in the run's order, input first."""
        wanted = {(case.images, case.degradation) for case in cases}
        found = dict.fromkeys(
            record.method
            for record in self.records
            if (record.images, record.degradation) in wanted
        )
        return list(found)


def indices(case: Case, images: ImageSet, *, limit: int | None) -> range:
    """Returns the index of every `case.every`th image, at most `limit` indices."""
    return range(0, len(images), case.every)[:limit]


_COLUMNS = ("suites", "set", "image", "case", "degradation", "method", *scoring.METRICS, "estimate")


def csv_row(record: Record) -> dict[str, Any]:
    """Returns a row of `scores.csv`, with unrounded numbers."""
    scores = dataclasses.asdict(record.scores)
    values = (
        record.suites,
        record.images,
        record.name,
        record.cases[0].column,
        repr(record.degradation),
        record.method,
        *(scores[metric] for metric in scoring.METRICS),
        record.scores.estimate,
    )
    return dict(zip(_COLUMNS, values))


def csv_text(records: Iterable[Record]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(csv_row, records))
    return text.getvalue()
