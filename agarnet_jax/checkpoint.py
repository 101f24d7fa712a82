"""Training checkpoints with Orbax: state, data position, resolved configuration and versions."""

import importlib.metadata
import json
import logging
import math
import platform
from collections.abc import Mapping
from typing import Any

import jax
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint.checkpoint_managers import (
    AnyPreservationPolicy,
    BestN,
    EveryNSteps,
    LatestN,
    PreservationPolicy,
)

import agarnet_jax
from agarnet_jax.checkpoint_faults import (
    any_set_aside,
    set_aside,
    set_aside_broken_scores,
    silence_abandoned_reads,
    true_on_all_processes,
)
from agarnet_jax.configs import differences
from agarnet_jax.remote_paths import absolute

_PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "numpy")
_log = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """Raised when there are checkpoints, but none to resume from."""


def has_checkpoint(directory: str | epath.Path) -> bool:
    """Returns whether a folder has a complete checkpoint.

    In a bucket, an incomplete one already has its final name, but lacks the marker that Orbax
    writes last.
    """
    directory = absolute(directory)
    return directory.is_dir() and bool(ocp.utils.checkpoint_steps(directory))


def _score(metrics: Mapping[str, float]) -> float:
    return metrics["score"]


_KEEP_BEST = BestN(get_metric_fn=_score, n=1, keep_checkpoints_without_metrics=False)

_NO_SCORE = "did not provide metrics"  # Orbax's warning for checkpoints without a score


def _is_news(record: logging.LogRecord) -> bool:
    """Filters Orbax's log: not its warning for checkpoints without a score, nor its tracebacks.

    A save that fails, as on a full disk, logs several of them, some even while the program exits;
    the next `save` or `close` raises the error.
    """
    is_traceback = record.exc_info and "orbax" in record.pathname
    return not is_traceback and _NO_SCORE not in record.getMessage()


class Checkpoints:
    """The checkpoints of one run, `DIRECTORY/STEP/`, written asynchronously and atomically.

    Keeps the `keep` latest ones, the one with the best score (higher is better) and, unless
    `keep_period` is 0, those of steps that it divides.
    """

    def __init__(self, directory: str | epath.Path, *, keep: int = 2, keep_period: int = 0):
        directory = absolute(directory)
        logging.getLogger("absl").addFilter(_is_news)  # has no effect the second time
        set_aside_broken_scores(directory)
        self._scores: dict[int, float | None] = {}  # by step; may not be written yet
        policies: list[PreservationPolicy] = [LatestN(n=keep), _KEEP_BEST]
        if keep_period:
            policies.append(EveryNSteps(keep_period))
        self._manager = ocp.CheckpointManager(
            directory,
            options=ocp.CheckpointManagerOptions(
                best_fn=_score, preservation_policy=AnyPreservationPolicy(policies)
            ),
            # Declared so that metadata can be read before anything is saved or restored.
            item_handlers={
                "state": ocp.StandardCheckpointHandler(),
                "data": ocp.JsonCheckpointHandler(),
                "config": ocp.JsonCheckpointHandler(),
                "versions": ocp.JsonCheckpointHandler(),
            },
        )

    def save(
        self, step: int, state: Any, *, config: Mapping[str, Any], score: float | None = None
    ) -> None:
        """Starts saving `state` after `step` steps, unless that step has been saved.

        A step saved without a score, by a run that was stopped during the evaluation, is saved
        again with its score. A non-finite score is saved as none, since it cannot be compared. The
        data position is the number of consumed batches, one per step.
        """
        if score is not None and not math.isfinite(score):
            _log.warning(
                "The score of step %d is %s; the step is saved without a score.", step, score
            )
            score = None
        if step in self._manager.all_steps():
            if score is None or self.is_scored(step):
                return
            self._manager.wait_until_finished()
            self._manager.delete(step)
        self._scores[step] = score
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state),
                data=ocp.args.JsonSave({"next_batch": step}),
                config=ocp.args.JsonSave(dict(config)),
                versions=ocp.args.JsonSave(_versions()),
            ),
            metrics=None if score is None else {"score": score},
        )

    @property
    def directory(self) -> epath.Path:
        return epath.Path(self._manager.directory)

    def latest_step(self) -> int | None:
        """Returns the latest saved step; None if there is none."""
        return self._manager.latest_step()

    def best_step(self) -> int | None:
        """Returns the step with the best score, or the latest one if none has a score."""
        best = self._manager.best_step()
        return self.latest_step() if best is None else best

    def is_scored(self, step: int) -> bool:
        """Returns whether a step was saved with a score."""
        return step in self._manager.all_steps() and self._score_of(step) is not None

    def best_score(self) -> tuple[int, float] | None:
        """Returns the step with the best score, and that score; None if none has a score."""
        step = self._manager.best_step()
        score = None if step is None else self._score_of(step)
        return None if step is None or score is None else (step, score)

    def _score_of(self, step: int) -> float | None:
        if step not in self._scores:
            metrics = self._manager.metrics(step)
            self._scores[step] = metrics["score"] if metrics else None
        return self._scores[step]

    def restore_latest(
        self, target: Any, config: Mapping[str, Any] | None = None
    ) -> tuple[Any, int] | None:
        """Restores the latest readable step, as `restore` does; None if nothing is saved.

        An unreadable checkpoint is renamed, so that its step can be saved again, and the one before
        it is tried. All processes restore the same step; if only one of them fails to read, the
        disk or mount of its host is at fault, and the run ends as when a process is lost.

        Args:
          target: see `restore`.
          config: the resolved configuration of `target`, to name the differences to a checkpoint
            that does not fit.

        Raises:
          CheckpointError: a checkpoint is readable, but its state does not have the structure and
            shapes of `target`; or there are checkpoints, but none is readable.
        """
        with silence_abandoned_reads():
            return self._restore_latest(target, config or {})

    def _restore_latest(self, target: Any, config: Mapping[str, Any]) -> tuple[Any, int] | None:
        unreadable: list[int] = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                restored, problem = self.restore(step, target), ""
            except Exception as error:  # Orbax and TensorStore also raise bare Exceptions
                restored, problem = None, one_line_message(error)
            if true_on_all_processes(restored is not None):
                set_aside([self.directory / str(skipped) for skipped in unreadable])
                self._scores.clear()
                self._manager.reload()
                return restored
            if true_on_all_processes(self._is_readable(step)):
                changed = "; ".join(self._structural_differences(step, config))
                difference = (
                    f"{changed} as now" if changed else f"another model or optimizer ({problem})"
                )
                raise CheckpointError(
                    f"{self.directory / str(step)} was saved with {difference}; give this run a "
                    "--workdir of its own."
                )
            _log.warning(
                "%s cannot be read and is skipped: %s", self.directory / str(step), problem
            )
            unreadable.append(step)
        if unreadable or any_set_aside(self.directory):
            raise CheckpointError(
                f"None of the checkpoints in {self.directory} can be read; remove the folder to "
                "start from the beginning."
            )
        return None

    def _is_readable(self, step: int) -> bool:
        """Returns whether the state can be read in the form in which it was saved."""
        try:
            self.restore_as_saved(step)
            return True
        except Exception:
            return False

    def _structural_differences(self, step: int, config: Mapping[str, Any]) -> list[str]:
        """Lists the settings that determine the state's structure and differ from `config`."""
        try:
            saved = _structural_settings(self.config(step))
        except Exception:  # no readable configuration
            return []
        current = json.loads(json.dumps(_structural_settings(config)))  # saved tuples became lists
        if saved["task"] != current["task"]:  # their other settings cannot be compared
            saved, current = {"task": saved["task"]}, {"task": current["task"]}
        return list(differences(saved, current, "config"))

    def restore(self, step: int, target: Any) -> tuple[Any, int]:
        """Restores the state at `step`, and the index of the next batch.

        `target` has the structure of the state; its leaves, arrays or `jax.ShapeDtypeStruct`,
        determine the shardings.
        """
        restored = self._manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(target), data=ocp.args.JsonRestore()
            ),
        )
        return restored.state, restored.data["next_batch"]

    def restore_as_saved(self, step: int) -> Any:
        """Restores the state at `step` as nested dicts, on the first device of this process."""
        on_one_device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        metadata = self._manager.item_metadata(step).state
        target = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=on_one_device),
            metadata,
        )
        return self.restore(step, target)[0]

    def restore_ema_params(self, step: int) -> Any:
        """Restores the averaged (EMA) parameters at `step` as NumPy arrays.

        Works without the configuration of the run, and without the devices that it ran on.
        """
        return jax.device_get(self.restore_as_saved(step)["ema_params"])

    def config(self, step: int) -> dict[str, Any]:
        """Reads the resolved configuration of the run that saved `step`."""
        args = ocp.args.Composite(config=ocp.args.JsonRestore())
        return self._manager.restore(step, args=args).config

    def close(self) -> None:
        """Waits for a save in progress."""
        self._manager.wait_until_finished()
        self._manager.close()


def one_line_message(error: Exception) -> str:
    """Returns an error's message on one line, without the advice for programmers in it."""
    line = f"{error}".split("\n")[0]
    for advice in (" See full TensorStore details", " Truncating/padding is disabled"):
        line = line.split(advice)[0]
    return line[:200]


def _structural_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Selects the settings that determine the structure and shapes of a state."""
    train = config.get("train", {})
    return {
        "task": config.get("task"),
        "model": config.get("model"),
        "train": {"optimizer": train.get("optimizer")},
    }


def _versions() -> dict[str, str]:
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    own = {"python": platform.python_version(), "agarnet_jax": agarnet_jax.__version__}
    return own | packages
