"""Everything that watches a run without changing it: logs, guards and measurements."""

import json
import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from agarnet_jax.configs import differences
from agarnet_jax.training.config import TrainConfig
from agarnet_jax.training.guards import SKIPPED, NonFiniteGuard
from agarnet_jax.training.images import make_picture_step, sheet
from agarnet_jax.training.log_folder import LogFolder
from agarnet_jax.training.logs import METRICS, MetricWriter, Progress
from agarnet_jax.training.profiling import CompilationCounter, Trace
from agarnet_jax.training.tasks import Task
from agarnet_jax.training.watchdog import Watchdog

# What a resolved configuration has besides settings: which images there are for "training" and as
# "held-out" ones, in words on the first line. Old checkpoints lack it.
IMAGES = "images"


class Observers:
    """The observers of a run from step `start` to step `last`; the loop reports to them."""

    def __init__(
        self,
        task: Task,
        *,
        config: TrainConfig,
        mesh: Mesh,
        workdir: str,
        start: int,
        last: int,
        profile: tuple[int, int] | None,
    ):
        self._config, self._task, self._start, self._last = config, task, start, last
        self._pictures = make_picture_step(task, mesh)
        self._guard = NonFiniteGuard(workdir, most=config.max_non_finite)
        self._begun = time.monotonic()
        self._folder = LogFolder(workdir, continued=(METRICS,))
        # Files of profiles have the host's name, which several processes may share.
        own = f"/process{jax.process_index()}" if jax.process_count() > 1 else ""
        self._trace = Trace(f"{self._folder.path}/profile{own}", profile)
        self._writer = MetricWriter(self._folder.path, start=start)
        self._compilations = CompilationCounter()
        self._watchdog = Watchdog(config.stall_seconds)
        self._progress = Progress(start=start, total=config.steps)
        self._progress.say(f"Starting at step {start} of {config.steps} on {mesh.size} device(s).")
        if profile and start < last and not start < profile[0] <= last:
            self._progress.say(
                f"No profile: step {profile[0]} is none of those to come, {start + 1} to {last}."
            )

    def close(self) -> None:
        for part in (
            self._trace,
            self._watchdog,
            self._compilations,
            self._writer,
            self._folder,
            self._progress,
        ):
            part.close()

    def continued(self, begun: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Reports that the run goes on from a checkpoint, saved with the configuration `begun`."""
        begun, same_form = dict(begun), json.loads(json.dumps(now))  # tuples are lists when saved
        images_begun, images_now = begun.pop(IMAGES, {}), same_form.pop(IMAGES, {})
        if changed := list(differences(begun, same_form, "config")):
            self._progress.say(f"Begun with {'; '.join(changed)} as now.")
        for name, here in images_now.items():
            if here != (there := images_begun.get(name, here)):
                then, after = there.splitlines()[0], here.splitlines()[0]
                self._progress.say(f"Begun with other {name} images than now: {then}, now {after}.")
        if self._start > self._last:
            self._progress.say(f"Nothing to do: step {self._last} has been passed.")

    def show_samples(
        self, step: int, case: str, params: Any, batch: Mapping[str, jax.Array]
    ) -> None:
        """Shows samples of a case, of its first batch, in the evaluation after `step` steps."""
        if self._config.eval_images:
            pictures = self._pictures(params, dict(batch))
            self._writer.image(step, f"eval/{case}", sheet(pictures, self._config.eval_images))

    def evaluating(self) -> None:
        """Notes that another batch of an evaluation is about to begin."""
        self._watchdog.beat()

    def finished(self, best: tuple[int, float] | None) -> None:
        """Reports the end of the run; `best` is the best score, after its step."""
        of_run = f"best score {best[1]:.4f} at step {best[0]}" if best else "never evaluated"
        self._progress.say(f"Finished: {self._progress.summary()}; {of_run}.")

    def leaving(self, step: int) -> None:
        """Reports that a signal ends the run after `step` steps, which are being saved."""
        self._progress.say(f"Leaving at step {step}; the same command continues from there.")

    def evaluated(self, step: int, held_out: Mapping[str, float]) -> float:
        """Reports an evaluation; returns its score."""
        score = self._task.score(dict(held_out))
        self._writer.write(step, "eval", held_out)
        means = sorted((name, value) for name, value in held_out.items() if "/" not in name)
        text = ", ".join(f"{name} {value:.3f}" for name, value in means)
        self._progress.say(f"Step {step}: {text}")
        self._progress.pause()
        return score

    def before_step(self, step: int, state: Any) -> None:
        """Notes that the step from `step` to the next is about to begin, from this state."""
        self._trace.before(step + 1, state)
        self._begun = time.monotonic()

    def after_step(
        self,
        step: int,
        batch: Mapping[str, np.ndarray],
        metrics: Mapping[str, jax.Array],
        *,
        waited: float,
    ) -> None:
        """Notes that a step was begun, after `waited` seconds of waiting for its batch.

        Waits for the step before it.

        Raises:
          FloatingPointError: too many updates in a row were skipped.
        """
        self._guard.follow(step, batch, metrics)
        self._watchdog.beat()
        self._progress.step(
            shape=batch["degraded"].shape,
            waited=waited,
            computed=time.monotonic() - self._begun,
        )

    def log(self, step: int, metrics: Mapping[str, jax.Array], *, learning_rate: float) -> None:
        """Writes the metrics of the last step and the rates since the last call."""
        asked = time.monotonic()
        self._guard.settle()  # the device is still at it
        self._progress.computing(time.monotonic() - asked)
        scalars = {name: float(value) for name, value in metrics.items()}
        scalars[SKIPPED] = self._guard.skipped()
        scalars["compilations"] = self._compilations.pop_count()
        scalars |= self._progress.rates(scalars["loss"])
        self._writer.write(step, "train", scalars | {"learning_rate": learning_rate})
        if self._folder.due:
            self._writer.flush()
            self._folder.publish()
