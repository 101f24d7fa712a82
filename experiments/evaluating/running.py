"""Computes the scores that are not cached: images are degraded ahead, devices work in parallel."""

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
from experiments.evaluating.baselines import Baseline, BaselineError, summarize_errors
from experiments.evaluating.cache import Cache
from experiments.evaluating.inputs import AnyDegradation, ImageSet
from experiments.evaluating.models import Model, RestorationOptions
from experiments.evaluating.records import INPUT, Record, Results, indices
from experiments.evaluating.scoring import Scores, score
from experiments.evaluating.suites import Case, Variant

_AHEAD = 4  # images in progress per device


@dataclasses.dataclass(frozen=True)
class Unit:
    """One image with one degradation, and all cases that use it."""

    images: ImageSet
    index: int
    degradation: AnyDegradation
    cases: tuple[Case, ...]

    @property
    def variants(self) -> tuple[Variant, ...]:
        requested = {variant for case in self.cases for variant in case.variants}
        return tuple(variant for variant in Variant if variant in requested)

    @property
    def name(self) -> str:
        return self.images.names[self.index]

    def degraded(self) -> Degraded:
        return self.images.degraded(self.index, self.degradation)

    def is_single_gray_jpeg(self, degraded: Degraded) -> bool:
        return isinstance(self.degradation, Jpeg) and degraded.image.ndim == 2


@dataclasses.dataclass(frozen=True)
class Method:
    """A variant of a network; without a model, the input itself."""

    name: str
    model: Model | None = None
    variant: Variant = Variant.TRUE


class EvaluationRun:
    """Computes results of cases with the given networks, baselines and options."""

    def __init__(
        self,
        sets: Mapping[str, ImageSet],
        *,
        networks: Sequence[Model],
        baselines: Sequence[Baseline] = (),
        restoration: RestorationOptions,
        rounding: Rounding,
        cache: Cache,
        limit: int | None = None,
    ):
        self.sets, self.limit = dict(sets), limit
        self.networks, self.baselines = networks, baselines
        self._restoration, self._rounding, self._cache = restoration, rounding, cache
        per_model = {model.name: models.make_restorers(model, restoration) for model in networks}
        # The free devices: each item has a restorer of every network on one device.
        self._free_devices: queue.Queue[dict[str, Restorer]] = queue.Queue()
        for restorers in zip(*per_model.values()):
            self._free_devices.put(dict(zip(per_model, restorers)))

    def results(self, cases: Sequence[Case]) -> tuple[Results, list[str]]:
        """Returns the scores of all cases, and one line for each problem.

        Cached scores are not computed again; new scores are cached immediately.
        """
        units = self._units(cases)
        known = {unit: self._cached_scores(unit) for unit in units}
        missing = {unit: self._missing_methods(unit, known[unit]) for unit in units}
        problems: dict[str, None] = {}
        errors: dict[str, list[BaselineError]] = collections.defaultdict(list)
        todo = [unit for unit in units if missing[unit] or self.baselines]
        total = sum(max(1, len(missing[unit])) for unit in todo)
        with _progress(total) as bar:
            for unit, outcomes in self._compute(todo, missing):
                for name, outcome in outcomes.items():
                    if isinstance(outcome, Scores):
                        known[unit][name] = outcome
                    elif isinstance(outcome, BaselineError):
                        errors[name].append(outcome)
                    else:
                        problems[f"{name} on {unit.images.name}: {outcome}"] = None
                bar.update(max(1, len(missing[unit])))
        records = [
            Record(
                unit.images.name, unit.index, unit.name, unit.degradation, unit.cases, name, scores
            )
            for unit in units
            for name in self._method_names(unit)
            if (scores := known[unit].get(name)) is not None
        ]
        lines = [line for name, found in errors.items() for line in summarize_errors(name, found)]
        return Results(records, self.sets, limit=self.limit), [*problems, *lines]

    def restore_image(self, case: Case, index: int) -> tuple[Degraded, dict[str, models.Output]]:
        """Returns a degraded image of a case, and the output of each method of the networks.

        Methods whose network cannot process the image are omitted.
        """
        unit = Unit(self.sets[case.images], index, case.degradation, (case,))
        degraded = unit.degraded()
        outputs: dict[str, models.Output] = {}
        for model, methods in _by_model(self._methods(unit)):
            with contextlib.suppress(ValueError):
                outputs.update(self._outputs(unit, degraded, model, methods))
        return degraded, outputs

    def _units(self, cases: Sequence[Case]) -> list[Unit]:
        """Lists units grouped by image, so that each is read, and its size compiled, only once."""
        cases_by_unit: dict[tuple[str, int, AnyDegradation], list[Case]]
        cases_by_unit = collections.defaultdict(list)
        for case in cases:
            for index in indices(case, self.sets[case.images], limit=self.limit):
                cases_by_unit[case.images, index, case.degradation].append(case)
        order = sorted(cases_by_unit, key=lambda key: (key[0], key[1]))
        return [
            Unit(
                self.sets[name], index, degradation, tuple(cases_by_unit[name, index, degradation])
            )
            for name, index, degradation in order
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

    def _method_names(self, unit: Unit) -> list[str]:
        """Lists the names of all methods, baselines included, in the order of tables."""
        methods = [method.name for method in self._methods(unit)]
        return [*methods, *(baseline.name for baseline in self.baselines)]

    def _cache_key(self, unit: Unit, method: Method) -> dict[str, Any]:
        key = {
            "clean": unit.images.digests[unit.index],
            "degradation": repr(unit.degradation),
            "rounding": self._rounding.value,
            "method": INPUT,
        }
        if method.model is None:
            return key
        consistent = self._restoration.consistent and isinstance(unit.degradation, Jpeg)
        return key | {
            "method": method.variant.name,
            "weights": method.model.sha256,
            "cells": to_plain(method.model.weights.estimator_config)["cells"],
            "ensemble": self._restoration.ensemble,
            "consistent": consistent,
            "use_traces": self._restoration.use_traces,
        }

    def _cached_scores(self, unit: Unit) -> dict[str, Scores]:
        found = {
            method.name: self._cache.get(self._cache_key(unit, method))
            for method in self._methods(unit)
        }
        return {name: scores for name, scores in found.items() if scores is not None}

    def _missing_methods(self, unit: Unit, known: Mapping[str, Scores]) -> list[Method]:
        return [method for method in self._methods(unit) if method.name not in known]

    def _compute(
        self, units: Sequence[Unit], missing: Mapping[Unit, list[Method]]
    ) -> Iterator[tuple[Unit, dict[str, Scores | Exception]]]:
        """Yields each unit with the scores or errors of its missing methods and the baselines."""
        threads = max(1, self._free_devices.qsize())
        pending: collections.deque = collections.deque()
        pool = concurrent.futures.ThreadPoolExecutor
        with pool(threads) as degraders, pool(threads) as scorers:
            try:
                for unit in units:
                    degraded = degraders.submit(unit.degraded)
                    scores = scorers.submit(self._score_unit, unit, degraded, missing[unit])
                    pending.append((unit, scores))
                    if len(pending) > _AHEAD * threads:
                        done, scores = pending.popleft()
                        yield done, scores.result()
                while pending:
                    done, scores = pending.popleft()
                    yield done, scores.result()
            finally:
                for executor in (degraders, scorers):
                    executor.shutdown(wait=False, cancel_futures=True)

    def _score_unit(
        self,
        unit: Unit,
        degraded_future: "concurrent.futures.Future[Degraded]",
        missing: Sequence[Method],
    ) -> dict[str, Scores | Exception]:
        degraded = degraded_future.result()
        outcomes: dict[str, Scores | Exception] = {}

        def store(method: Method, scores: Scores) -> None:
            self._cache.put(self._cache_key(unit, method), scores)
            outcomes[method.name] = scores

        for method in missing:
            if method.model is None:
                store(method, score(degraded.image, degraded.clean, rounding=self._rounding))
        for model, methods in _by_model(missing):
            by_name = {method.name: method for method in methods}
            try:
                for name, output in self._outputs(unit, degraded, model, methods):
                    store(by_name[name], self._score_output(output, degraded))
            except ValueError as error:  # the network cannot process the image
                outcomes |= {name: error for name in by_name if name not in outcomes}
        for baseline in self.baselines:
            try:
                image = baseline.image(unit.cases[0], unit.name, like=degraded.clean)
                outcomes[baseline.name] = score(image, degraded.clean, rounding=self._rounding)
            except BaselineError as error:
                outcomes[baseline.name] = error
        return outcomes

    def _score_output(self, output: models.Output, degraded: Degraded) -> Scores:
        blind = output.variant is not Variant.TRUE
        estimate = float(output.quality.mean()) if blind else None
        if output.image is None:
            return Scores(estimate=estimate)
        return score(output.image, degraded.clean, rounding=self._rounding, estimate=estimate)

    def _outputs(
        self, unit: Unit, degraded: Degraded, model: Model, methods: Sequence[Method]
    ) -> Iterator[tuple[str, models.Output]]:
        """Yields each method's name and output, computed on the next free device."""
        restorers = self._free_devices.get()
        try:
            for output in models.compute_outputs(
                degraded,
                [method.variant for method in methods],
                model=model,
                restorer=restorers[model.name],
                options=self._restoration,
                single_gray_jpeg=unit.is_single_gray_jpeg(degraded),
            ):
                yield f"{model.name}{output.variant.value}", output
        finally:
            self._free_devices.put(restorers)


def _by_model(methods: Sequence[Method]) -> list[tuple[Model, list[Method]]]:
    """Groups the methods of each network; the input itself is omitted."""
    grouped: dict[str, tuple[Model, list[Method]]] = {}
    for method in methods:
        if method.model is not None:
            grouped.setdefault(method.model.name, (method.model, []))[1].append(method)
    return list(grouped.values())


def _progress(total: int) -> Any:
    """Shows a progress bar on stderr, or without a terminal, a line every 30 seconds."""
    return tqdm.tqdm(
        total=total,
        unit="score",
        mininterval=0.5 if sys.stderr.isatty() else 30,
        disable=total == 0,
        leave=False,
        dynamic_ncols=True,
    )
