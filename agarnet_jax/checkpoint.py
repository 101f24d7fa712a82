"""Training checkpoints: state, data position, resolved configuration and versions, by Orbax."""

import contextlib
import importlib.metadata
import json
import logging
import math
import platform
from collections.abc import Iterator, Mapping
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
    has_set_aside,
    on_all_processes,
    set_aside,
    set_aside_broken_scores,
    without_stragglers,
)
from agarnet_jax.configs import differences
from agarnet_jax.remote_paths import absolute

_PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "numpy")
_log = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """There are checkpoints, but none to continue from."""


def has_checkpoint(directory: str | epath.Path) -> bool:
    """Tells whether a folder has a checkpoint that was written to its end.

    In a bucket, one that was not has the same name, but lacks the mark that Orbax writes last.
    """
    directory = absolute(directory)
    return directory.is_dir() and bool(ocp.utils.checkpoint_steps(directory))


def _score(metrics: Mapping[str, float]) -> float:
    return metrics["score"]


_BEST_ONE = BestN(get_metric_fn=_score, n=1, keep_checkpoints_without_metrics=False)

_NO_SCORE = "did not provide metrics"  # Orbax warns so of each checkpoint between evaluations


@contextlib.contextmanager
def _without(words: str) -> Iterator[None]:
    """Leaves out what Orbax logs with these words in it."""
    logger = logging.getLogger("absl")

    def is_other(record: logging.LogRecord) -> bool:
        return words not in record.getMessage()

    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


class Checkpoints:
    """The checkpoints of one run, `DIRECTORY/STEP/`, written asynchronously and atomically.

    Kept are the `keep` latest, the one with the best score (higher is better), and those of
    steps that `keep_period` divides; 0 for none of these.
    """

    def __init__(self, directory: str | epath.Path, *, keep: int = 2, keep_period: int = 0):
        directory = absolute(directory)
        set_aside_broken_scores(directory)
        self._scores: dict[int, float | None] = {}  # known here, perhaps not written yet
        kept: list[PreservationPolicy] = [LatestN(n=keep), _BEST_ONE]
        if keep_period:
            kept.append(EveryNSteps(keep_period))
        self._manager = ocp.CheckpointManager(
            directory,
            options=ocp.CheckpointManagerOptions(
                best_fn=_score, preservation_policy=AnyPreservationPolicy(kept)
            ),
            # Named so that metadata can be read before anything is saved or restored.
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
        """Begins to save `state` after `step` steps, unless that step is saved already.

        A step saved without a score, by a run that was stopped while it evaluated, is saved again
        with it. A score that is not finite counts as none: it could not be compared. The data
        position is the number of batches consumed, one a step.
        """
        if score is not None and not math.isfinite(score):
            _log.warning("The score of step %d is %s; it is saved without one.", step, score)
            score = None
        if step in self._manager.all_steps():
            if score is None or self.is_scored(step):
                return
            self._manager.wait_until_finished()
            self._manager.delete(step)
        self._scores[step] = score
        with _without(_NO_SCORE):
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
        """Returns the latest step that was saved; None if none was."""
        return self._manager.latest_step()

    def best_step(self) -> int | None:
        """Returns the step with the best score, or the latest if none was scored."""
        best = self._manager.best_step()
        return self.latest_step() if best is None else best

    def is_scored(self, step: int) -> bool:
        """Tells whether a step was saved with a score."""
        return step in self._manager.all_steps() and self._score_of(step) is not None

    def best_score(self) -> tuple[int, float] | None:
        """Returns the step with the best score, and that score; None if none was scored."""
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
        """Restores the latest step that can be read, as `restore` does; None if nothing is saved.

        A checkpoint that cannot be read is renamed, so that its step can be saved again, and the
        one before it is tried. All processes take the same; where only one of them fails to read,
        its host's disk or mount is at fault, and the run ends as when a process is lost.

        Args:
          target: as of `restore`.
          config: the resolved configuration of `target`, to say what differs where it does not fit.

        Raises:
          CheckpointError: one can be read, but its state is not of the form of `target`; or none
            of those that were saved can be read.
        """
        with without_stragglers():
            return self._restore_latest(target, config or {})

    def _restore_latest(self, target: Any, config: Mapping[str, Any]) -> tuple[Any, int] | None:
        unreadable: list[int] = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                restored, problem = self.restore(step, target), ""
            except Exception as error:  # Orbax and TensorStore raise bare Exceptions too
                restored, problem = None, one_line_message(error)
            if on_all_processes(restored is not None):
                set_aside([self.directory / str(broken) for broken in unreadable])
                self._scores.clear()
                self._manager.reload()
                return restored
            if on_all_processes(self._is_whole(step)):
                changed = "; ".join(self._reshaped(step, config))
                other = (
                    f"{changed} as now" if changed else f"another model or optimizer ({problem})"
                )
                raise CheckpointError(
                    f"{self.directory / str(step)} was saved with {other}; give this run a "
                    "--workdir of its own."
                )
            _log.warning(
                "%s cannot be read and is skipped: %s", self.directory / str(step), problem
            )
            unreadable.append(step)
        if unreadable or has_set_aside(self.directory):
            raise CheckpointError(
                f"None of the checkpoints in {self.directory} can be read; remove the folder to "
                "start anew."
            )
        return None

    def _is_whole(self, step: int) -> bool:
        """Tells whether all that was saved can be read, in the form in which it was saved."""
        try:
            self.restore_as_saved(step)
            return True
        except Exception:
            return False

    def _reshaped(self, step: int, config: Mapping[str, Any]) -> list[str]:
        """Lists in what settings of the form of its state a saved step differs from `config`."""
        try:
            saved = _shaping(self.config(step))
        except Exception:  # no readable configuration
            return []
        now = json.loads(json.dumps(_shaping(config)))  # tuples are lists in a checkpoint
        if saved["task"] != now["task"]:  # nothing else can be compared
            saved, now = {"task": saved["task"]}, {"task": now["task"]}
        return list(differences(saved, now, "config"))

    def restore(self, step: int, target: Any) -> tuple[Any, int]:
        """Restores the state at `step`, and the number of the next batch.

        `target` has the state's structure; its leaves, arrays or `jax.ShapeDtypeStruct`, say on
        which devices to place it.
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
        here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        metadata = self._manager.item_metadata(step).state
        target = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here), metadata
        )
        return self.restore(step, target)[0]

    def restore_ema_params(self, step: int) -> Any:
        """Restores only the averaged parameters at `step`, as NumPy arrays, whatever the rest was.

        The devices that saved them need not exist here.
        """
        return jax.device_get(self.restore_as_saved(step)["ema_params"])

    def config(self, step: int) -> dict[str, Any]:
        """Reads the resolved configuration of the run that saved `step`."""
        return self._read_json(step, "config")

    def versions(self, step: int) -> dict[str, str]:
        """Reads the versions of Python and of the packages that saved `step`, by name."""
        return self._read_json(step, "versions")

    def _read_json(self, step: int, item: str) -> dict[str, Any]:
        restored = self._manager.restore(
            step, args=ocp.args.Composite(**{item: ocp.args.JsonRestore()})
        )
        return restored[item]

    def close(self) -> None:
        """Waits for the save in progress."""
        self._manager.wait_until_finished()
        self._manager.close()


def one_line_message(error: Exception) -> str:
    """Shortens an error to one line, without the advice for programmers that may follow in it."""
    line = f"{error}".split("\n")[0]
    for advice in (" See full TensorStore details", " Truncating/padding is disabled"):
        line = line.split(advice)[0]
    return line[:200]


def _shaping(config: Mapping[str, Any]) -> dict[str, Any]:
    """Takes from a resolved configuration what decides the form of a state."""
    train = config.get("train", {})
    return {
        "task": config.get("task"),
        "model": config.get("model"),
        "train": {"optimizer": train.get("optimizer")},
    }


def _versions() -> dict[str, str]:
    installed = {name: importlib.metadata.version(name) for name in _PACKAGES}
    ours = {"python": platform.python_version(), "agarnet_jax": agarnet_jax.__version__}
    return ours | installed
