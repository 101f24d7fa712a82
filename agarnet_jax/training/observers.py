"""Observers of a run, which never change its result: logs, guards and profiling."""

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
from agarnet_jax.training.log_folder import LogFolder
from agarnet_jax.training.logs import METRICS, MetricWriter, Progress
from agarnet_jax.training.profiling import CompilationCounter, StepProfiler
from agarnet_jax.training.sample_images import make_image_step, sheet
from agarnet_jax.training.tasks import Task
from agarnet_jax.training.watchdog import Watchdog

# Key of a resolved configuration that holds descriptions of the "training" and "held-out" images,
# readable in their first line. Old checkpoints lack it.
IMAGES = "images"


class Observers:
    """The observers of a run from step `start` to step `last`; the loop calls their hooks."""

    def __init__(
        self,
        task: Task,
        *,
        config: TrainConfig,
        mesh: Mesh,
        workdir: str,
        start: int,
        last: int,
        profile_steps: tuple[int, int] | None,
    ):
        self._config, self._task, self._start, self._last = config, task, start, last
        self._image_step = make_image_step(task, mesh)
        self._guard = NonFiniteGuard(workdir, limit=config.max_non_finite)
        self._dispatched = time.monotonic()
        self._folder = LogFolder(workdir, appended=(METRICS,))
        # Profiles are named after the host, which several processes may share.
        subfolder = f"/process{jax.process_index()}" if jax.process_count() > 1 else ""
        self._profiler = StepProfiler(f"{self._folder.path}/profile{subfolder}", profile_steps)
        self._writer = MetricWriter(self._folder.path, start=start)
        self._compilations = CompilationCounter()
        self._watchdog = Watchdog(config.stall_seconds)
        self._progress = Progress(start=start, total=config.steps)
        self._progress.print(
            f"Starting at step {start} of {config.steps} on {mesh.size} device(s)."
        )
        if profile_steps and start < last and not start < profile_steps[0] <= last:
            self._progress.print(
                f"No profile: step {profile_steps[0]} is not among the steps of this run, "
                f"{start + 1} to {last}."
            )

    def close(self) -> None:
        for observer in (
            self._profiler,
            self._watchdog,
            self._compilations,
            self._writer,
            self._folder,
            self._progress,
        ):
            observer.close()

    def on_resume(self, saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
        """Reports how the configuration differs from the one saved with the resumed checkpoint."""
        old, new = dict(saved), json.loads(json.dumps(current))  # saving turned tuples into lists
        old_images, new_images = old.pop(IMAGES, {}), new.pop(IMAGES, {})
        if changed := list(differences(old, new, "config")):
            self._progress.print(f"The checkpoint was saved with {'; '.join(changed)} as now.")
        for name, now in new_images.items():
            if now != (before := old_images.get(name, now)):
                self._progress.print(
                    f"The checkpoint was saved with other {name} images than now: "
                    f"{before.splitlines()[0]}, now {now.splitlines()[0]}."
                )
        if self._start > self._last:
            self._progress.print(f"Nothing to do: step {self._last} has been passed.")

    def on_eval_batch(self) -> None:
        """Called before each batch of an evaluation."""
        self._watchdog.beat()

    def show_samples(
        self, step: int, case: str, params: Any, batch: Mapping[str, jax.Array]
    ) -> None:
        """Writes samples of the first batch of a case, evaluated after `step` steps."""
        if self._config.eval_images:
            images = self._image_step(params, dict(batch))
            self._writer.image(step, f"eval/{case}", sheet(images, self._config.eval_images))

    def on_evaluation(self, step: int, means: Mapping[str, float]) -> float:
        """Reports the result of an evaluation; returns its score."""
        score = self._task.score(dict(means))
        self._writer.write(step, "eval", means)
        over_cases = sorted((name, value) for name, value in means.items() if "/" not in name)
        text = ", ".join(f"{name} {value:.3f}" for name, value in over_cases)
        self._progress.print(f"Step {step}: {text}")
        self._progress.reset_rates()
        return score

    def on_finish(self, best: tuple[int, float] | None) -> None:
        """Reports the end of the run; `best` is the step with the best score, and that score."""
        result = f"best score {best[1]:.4f} at step {best[0]}" if best else "never evaluated"
        self._progress.print(f"Finished: {self._progress.summary()}; {result}.")

    def on_interrupt(self, step: int) -> None:
        """Reports that a signal ends the run after `step` steps."""
        self._progress.print(f"Stopping at step {step}; the same command resumes from there.")

    def before_step(self, step: int, state: Any) -> None:
        """Called before the step from `step` to the next; `state` is its input."""
        self._profiler.before_step(step + 1, state)
        self._dispatched = time.monotonic()

    def after_step(
        self,
        step: int,
        batch: Mapping[str, np.ndarray],
        metrics: Mapping[str, jax.Array],
        *,
        data_wait: float,
    ) -> None:
        """Called after the step was dispatched; waits for the step before it.

        `data_wait` is the time in seconds that the step waited for its batch.

        Raises:
          FloatingPointError: too many consecutive updates were skipped.
        """
        self._guard.after_dispatch(step, batch, metrics)
        self._watchdog.beat()
        self._progress.step(
            shape=batch["degraded"].shape,
            data_wait=data_wait,
            device_wait=time.monotonic() - self._dispatched,
        )

    def log(self, step: int, metrics: Mapping[str, jax.Array], *, learning_rate: float) -> None:
        """Writes the metrics of the last step and the rates since the last call."""
        before = time.monotonic()
        self._guard.wait()  # the device may still be running the step
        self._progress.add_device_wait(time.monotonic() - before)
        scalars = {name: float(value) for name, value in metrics.items()}
        scalars[SKIPPED] = self._guard.pop_skipped()
        scalars["compilations"] = self._compilations.pop_count()
        scalars |= self._progress.pop_rates(scalars["loss"])
        self._writer.write(step, "train", scalars | {"learning_rate": learning_rate})
        if self._folder.due:
            self._writer.flush()
            self._folder.upload()
