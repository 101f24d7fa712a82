"""Against updates that would spoil the parameters: non-finite losses and gradients."""

import io
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath

from agarnet_jax.training.state import TrainState

SKIPPED = "skipped_updates"  # name of the metric: 1 if the step's update was skipped, else 0


def keep_if_not_finite(
    old: TrainState, new: TrainState, metrics: Mapping[str, jax.Array]
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Keeps the old state, one step on, if the metrics `loss` or `gradient_norm` are not finite.

    Returns the state to go on with and the metrics with `SKIPPED` among them. It is part of the
    compiled step.

    Counts go on in either case, those of the optimizer among them: schedules follow the step.
    """
    finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(metrics["gradient_norm"])

    def choose(new: jax.Array, old: jax.Array) -> jax.Array:
        return new if jnp.issubdtype(new.dtype, jnp.integer) else jnp.where(finite, new, old)

    return jax.tree.map(choose, new, old), {**metrics, SKIPPED: 1.0 - finite}


class NonFiniteGuard:
    """A counter of skipped updates, which stops the run after `most` of them in a row.

    It reads what a step reported when the next one is under way, so that the device never waits
    for it; and the host never gets further ahead of the device than that.
    """

    def __init__(self, workdir: str, *, most: int):
        self._workdir, self._most = workdir, most
        self._pending: tuple[int, Mapping[str, np.ndarray], jax.Array] | None = None
        self._in_a_row, self._unreported = 0, 0

    def follow(
        self, step: int, batch: Mapping[str, np.ndarray], metrics: Mapping[str, jax.Array]
    ) -> None:
        """Notes that the step `step` on `batch` was begun, and waits for the step before it.

        Raises:
          FloatingPointError: one update too many was skipped; `batch` was written to the working
            folder.
        """
        self.settle()
        self._pending = step, batch, metrics[SKIPPED]

    def settle(self) -> None:
        """Waits for the last step that was begun; raises as `follow`."""
        if self._pending is None:
            return
        (step, batch, skipped), self._pending = self._pending, None
        if not float(skipped):
            self._in_a_row = 0
            return
        self._in_a_row += 1
        self._unreported += 1
        if self._in_a_row == self._most:
            path = save_batch(self._workdir, batch)
            raise FloatingPointError(
                f"Loss or gradient was not finite {self._most} times in a row, last in the step "
                f"from {step} to {step + 1}, whose batch is now in {path}; none of these updates "
                "was applied. Lower train.learning_rate, or raise train.max_non_finite."
            )

    def skipped(self) -> int:
        """Counts the updates skipped since last asked."""
        self.settle()
        count, self._unreported = self._unreported, 0
        return count


def save_batch(workdir: str, batch: Mapping[str, np.ndarray]) -> epath.Path:
    """Writes this process's share of a batch, strings included; `np.load` reads it."""
    share = f"_{jax.process_index()}" if jax.process_count() > 1 else ""
    path = epath.Path(workdir) / f"offending_batch{share}.npz"
    buffer = io.BytesIO()
    arrays: dict[str, Any] = dict(batch)
    np.savez_compressed(buffer, **arrays)
    path.write_bytes(buffer.getvalue())
    return path
