"""Training checkpoints: state, data position and resolved configuration, through Orbax."""

from collections.abc import Mapping
from typing import Any

import jax
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN


def _score(metrics: Mapping[str, float]) -> float:
    return metrics["score"]


_BEST_ONE = BestN(get_metric_fn=_score, n=1, keep_checkpoints_without_metrics=False)


class Checkpoints:
    """The checkpoints of one run, `DIRECTORY/STEP/`, written asynchronously and atomically.

    Kept are the `keep` latest and the one with the best score (higher is better).
    """

    def __init__(self, directory: str | epath.Path, *, keep: int = 2):
        self._manager = ocp.CheckpointManager(
            epath.Path(directory).absolute(),
            options=ocp.CheckpointManagerOptions(
                best_fn=_score,
                preservation_policy=AnyPreservationPolicy([LatestN(n=keep), _BEST_ONE]),
            ),
            # Named so that metadata can be read before anything is saved or restored.
            item_handlers={
                "state": ocp.StandardCheckpointHandler(),
                "data": ocp.JsonCheckpointHandler(),
                "config": ocp.JsonCheckpointHandler(),
            },
        )

    def save(
        self, step: int, state: Any, *, config: Mapping[str, Any], score: float | None = None
    ) -> None:
        """Begins to save `state` after `step` steps, unless that step is saved already.

        The data position is the number of batches consumed, one a step.
        """
        if step in self._manager.all_steps():
            return
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state),
                data=ocp.args.JsonSave({"next_batch": step}),
                config=ocp.args.JsonSave(dict(config)),
            ),
            metrics=None if score is None else {"score": score},
        )

    @property
    def directory(self) -> epath.Path:
        return epath.Path(self._manager.directory)

    def latest_step(self) -> int | None:
        return self._manager.latest_step()

    def best_step(self) -> int | None:
        """The step with the best score, or the latest if none was scored."""
        best = self._manager.best_step()
        return self.latest_step() if best is None else best

    def restore(self, step: int, target: Any) -> tuple[Any, int]:
        """State at `step` and the number of the next batch.

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

    def restore_ema_params(self, step: int) -> Any:
        """Only the averaged parameters at `step`, as NumPy arrays, whatever the rest was.

        The devices that saved them need not exist here.
        """
        here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        metadata = self._manager.item_metadata(step).state
        target = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here), metadata
        )
        restored = self._manager.restore(
            step, args=ocp.args.Composite(state=ocp.args.StandardRestore(target))
        )
        return jax.device_get(restored.state["ema_params"])

    def config(self, step: int) -> dict[str, Any]:
        """The resolved configuration of the run that saved `step`."""
        return self._manager.restore(
            step, args=ocp.args.Composite(config=ocp.args.JsonRestore())
        ).config

    def close(self) -> None:
        """Waits for the save in progress."""
        self._manager.wait_until_finished()
        self._manager.close()
