"""Computes what is not known yet: images degraded ahead, one network on each device at a time."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import queue
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tqdm

from agarnet_jax.configs import to_plain
from agarnet_jax.metrics import Rounding
from agarnet_jax.restoration import Restorer
from data_pipelines.degradations.degraded import Degraded
from data_pipelines.degradations.jpeg import Jpeg
from experiments.evaluating import models
from experiments.evaluating.baselines import Baseline, BaselineError, in_words
from experiments.evaluating.cache import Cache
from experiments.evaluating.inputs import Course, ImageSet
from experiments.evaluating.models import Model, Treatment
from experiments.evaluating.records import INPUT, Record, Results, indices
from experiments.evaluating.scoring import Scores, score
from experiments.evaluating.suites import Case, Variant

_AHEAD = 4  # images for each device


@dataclasses.dataclass(frozen=True)
class Unit:
    """One image on one course, with all cases it counts for and all variants they ask for."""

    images: ImageSet
    index: int
    course: Course
    cases: tuple[Case, ...]

    @property
    def variants(self) -> tuple[Variant, ...]:
        asked = {variant for case in self.cases for variant in case.variants}
        return tuple(variant for variant in Variant if variant in asked)

    @property
    def name(self) -> str:
        return self.images.names[self.index]

    def degraded(self) -> Degraded:
        return self.images.degraded(self.index, self.course)

    def single_gray_jpeg(self, degraded: Degraded) -> bool:
        return isinstance(self.course, Jpeg) and degraded.image.ndim == 2


@dataclasses.dataclass(frozen=True)
class Method:
    """A network that is told something of quality; without a model, the input itself."""

    name: str
    model: Model | None = None
    variant: Variant = Variant.TRUE


class EvaluationRun:
    """Everything that an evaluation computes with, and `results` of cases on it."""

    def __init__(
        self,
        sets: Mapping[str, ImageSet],
        *,
        networks: Sequence[Model],
        baselines: Sequence[Baseline] = (),
        treatment: Treatment,
        rounding: Rounding,
        cache: Cache,
        limit: int | None = None,
    ):
        self.sets, self.limit = dict(sets), limit
        self.networks, self.baselines = networks, baselines
        self._treatment, self._rounding, self._cache = treatment, rounding, cache
        per_model = {model.name: models.restorers(model, treatment) for model in networks}
        # Each station has a restorer of every network on one device, for one thread at a time.
        self._stations: queue.Queue[dict[str, Restorer]] = queue.Queue()
        for parts in zip(*per_model.values()):
            self._stations.put(dict(zip(per_model, parts)))

    def results(self, cases: Sequence[Case]) -> tuple[Results, list[str]]:
        """Returns the scores of all cases, and one line for each problem.

        What the cache has is not computed. Every score is in the cache as soon as it is known.
        """
        units = self._units(cases)
        known = {unit: self._known(unit) for unit in units}
        missing = {unit: self._missing(unit, known[unit]) for unit in units}
        problems: dict[str, None] = {}
        errors: dict[str, list[BaselineError]] = collections.defaultdict(list)
        todo = [unit for unit in units if missing[unit] or self.baselines]
        total = sum(max(1, len(missing[unit])) for unit in todo)
        with _progress(total) as bar:
            for unit, found in self._computed(todo, missing):
                for key, value in found.items():
                    if isinstance(value, Scores):
                        known[unit][key] = value
                    elif isinstance(value, BaselineError):
                        errors[key].append(value)
                    else:
                        problems[f"{key} on {unit.images.name}: {value}"] = None
                bar.update(max(1, len(missing[unit])))
        records = [
            Record(unit.images.name, unit.index, unit.name, unit.course, unit.cases, name, scores)
            for unit in units
            for name in self._names(unit)
            if (scores := known[unit].get(name)) is not None
        ]
        lines = [line for name, found in errors.items() for line in in_words(name, found)]
        return Results(records, self.sets, limit=self.limit), [*problems, *lines]

    def look(self, case: Case, index: int) -> tuple[Degraded, dict[str, models.Output]]:
        """Returns an image of a case as it came in, and what each network's methods make of it.

        Methods whose network cannot take the image are left out.
        """
        unit = Unit(self.sets[case.images], index, case.course, (case,))
        degraded = unit.degraded()
        outputs: dict[str, models.Output] = {}
        for model, methods in _by_model(self._methods(unit)):
            with contextlib.suppress(ValueError):
                outputs.update(self._outputs(unit, degraded, model, methods))
        return degraded, outputs

    def _units(self, cases: Sequence[Case]) -> list[Unit]:
        """Lists units by set, image and course, so that an image is read and compiled for once."""
        counted: dict[tuple[str, int, Course], list[Case]] = collections.defaultdict(list)
        for case in cases:
            for index in indices(case, self.sets[case.images], limit=self.limit):
                counted[case.images, index, case.course].append(case)
        order = sorted(counted, key=lambda key: (key[0], key[1]))
        return [
            Unit(self.sets[name], index, course, tuple(counted[name, index, course]))
            for name, index, course in order
        ]

    def _methods(self, unit: Unit) -> list[Method]:
        return [
            Method(INPUT),
            *(
                Method(f"{model.name}{variant.value}", model, variant)
                for model in self.networks
                for variant in model.usable(unit.variants)
            ),
        ]

    def _names(self, unit: Unit) -> list[str]:
        """Lists the names of all methods, in the order of tables."""
        methods = [method.name for method in self._methods(unit)]
        return [*methods, *(baseline.name for baseline in self.baselines)]

    def _key(self, unit: Unit, method: Method) -> dict[str, Any]:
        key = {
            "clean": unit.images.digests[unit.index],
            "course": repr(unit.course),
            "rounding": self._rounding.value,
            "method": INPUT,
        }
        if method.model is None:
            return key
        consistent = self._treatment.consistent and isinstance(unit.course, Jpeg)
        return key | {
            "method": method.variant.name,
            "weights": method.model.sha256,
            "cells": to_plain(method.model.weights.estimator_config)["cells"],
            "ensemble": self._treatment.ensemble,
            "consistent": consistent,
            "read_steps": self._treatment.read_steps,
        }

    def _known(self, unit: Unit) -> dict[str, Scores]:
        found = {
            method.name: self._cache.get(self._key(unit, method)) for method in self._methods(unit)
        }
        return {name: scores for name, scores in found.items() if scores is not None}

    def _missing(self, unit: Unit, known: Mapping[str, Scores]) -> list[Method]:
        return [method for method in self._methods(unit) if method.name not in known]

    def _computed(
        self, units: Sequence[Unit], missing: Mapping[Unit, list[Method]]
    ) -> Iterator[tuple[Unit, dict[str, Scores | Exception]]]:
        """Yields each unit with the scores or errors of its missing methods and of baselines."""
        width = max(1, self._stations.qsize())
        pending: collections.deque = collections.deque()
        pool = concurrent.futures.ThreadPoolExecutor
        with pool(width) as encoders, pool(width) as workers:
            try:
                for unit in units:
                    degraded = encoders.submit(unit.degraded)
                    work = workers.submit(self._scored, unit, degraded, missing[unit])
                    pending.append((unit, work))
                    if len(pending) > _AHEAD * width:
                        done, work = pending.popleft()
                        yield done, work.result()
                while pending:
                    done, work = pending.popleft()
                    yield done, work.result()
            finally:
                for each in (encoders, workers):
                    each.shutdown(wait=False, cancel_futures=True)

    def _scored(
        self,
        unit: Unit,
        degrading: "concurrent.futures.Future[Degraded]",
        missing: Sequence[Method],
    ) -> dict[str, Scores | Exception]:
        degraded = degrading.result()
        found: dict[str, Scores | Exception] = {}

        def keep(method: Method, scores: Scores) -> None:
            self._cache.put(self._key(unit, method), scores)
            found[method.name] = scores

        for method in missing:
            if method.model is None:
                keep(method, score(degraded.image, degraded.clean, rounding=self._rounding))
        for model, methods in _by_model(missing):
            by_name = {method.name: method for method in methods}
            try:
                for name, output in self._outputs(unit, degraded, model, methods):
                    keep(by_name[name], self._score_output(output, degraded))
            except ValueError as error:  # an image that the network cannot take
                found |= {name: error for name in by_name if name not in found}
        for baseline in self.baselines:
            try:
                image = baseline.image(unit.cases[0], unit.name, like=degraded.clean)
                found[baseline.name] = score(image, degraded.clean, rounding=self._rounding)
            except BaselineError as error:
                found[baseline.name] = error
        return found

    def _score_output(self, output: models.Output, degraded: Degraded) -> Scores:
        told = output.variant is Variant.TRUE
        estimate = None if told else float(output.assumed.mean())
        if output.image is None:
            return Scores(estimate=estimate)
        return score(output.image, degraded.clean, rounding=self._rounding, estimate=estimate)

    def _outputs(
        self, unit: Unit, degraded: Degraded, model: Model, methods: Sequence[Method]
    ) -> Iterator[tuple[str, models.Output]]:
        """Yields each method's name and output, computed on the first device that is free."""
        station = self._stations.get()
        try:
            for output in models.outputs(
                degraded,
                [method.variant for method in methods],
                model=model,
                restorer=station[model.name],
                treatment=self._treatment,
                consistent=unit.single_gray_jpeg(degraded),
            ):
                yield f"{model.name}{output.variant.value}", output
        finally:
            self._stations.put(station)


def _by_model(methods: Sequence[Method]) -> list[tuple[Model, list[Method]]]:
    """Groups methods by their networks."""
    grouped: dict[str, tuple[Model, list[Method]]] = {}
    for method in methods:
        if method.model is not None:
            grouped.setdefault(method.model.name, (method.model, []))[1].append(method)
    return list(grouped.values())


def _progress(total: int) -> Any:
    """Shows a bar with the time left on stderr; if that is no terminal, a line each half minute."""
    return tqdm.tqdm(
        total=total,
        unit="score",
        mininterval=0.5 if sys.stderr.isatty() else 30,
        disable=total == 0,
        leave=False,
        dynamic_ncols=True,
    )
