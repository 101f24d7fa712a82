"""Protects the parameters from non-finite losses and gradients."""

import io
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath

from agarnet_jax.training.state import TrainState

SKIPPED = "skipped_updates"  # name of the metric: 1 if the step's update was skipped, else 0


def apply_if_finite(
    old: TrainState, new: TrainState, metrics: Mapping[str, jax.Array]
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Discards the update from `old` to `new` unless both loss and gradient norm are finite.

    Part of the compiled step. Integer leaves, the step and the optimizer's counts, advance in
    either case, so that schedules follow the step.

    Args:
      old: the state before the step.
      new: the state after the step.
      metrics: of the step, with `loss` and `gradient_norm`.

    Returns:
      The next state, and the metrics with `SKIPPED` added.
    """
    finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(metrics["gradient_norm"])

    def choose(new: jax.Array, old: jax.Array) -> jax.Array:
        return new if jnp.issubdtype(new.dtype, jnp.integer) else jnp.where(finite, new, old)

    return jax.tree.map(choose, new, old), {**metrics, SKIPPED: 1.0 - finite}


class NonFiniteGuard:
    """Counts skipped updates and stops the run after `limit` consecutive ones.

    It reads a step's metrics only after the next step has been dispatched, so the device never
    waits for the host, and the host is never more than one step ahead of the device.
    """

    def __init__(self, workdir: str, *, limit: int):
        self._workdir, self._limit = workdir, limit
        self._pending: tuple[int, Mapping[str, np.ndarray], jax.Array] | None = None
        self._consecutive, self._unreported = 0, 0

    def after_dispatch(
        self, step: int, batch: Mapping[str, np.ndarray], metrics: Mapping[str, jax.Array]
    ) -> None:
        """Records the dispatch of the step from `step` to the next; waits for the step before it.

        Raises:
          FloatingPointError: `limit` consecutive updates were skipped; the batch of the last one
            was written to the working folder.
        """
        self.wait()
        self._pending = step, batch, metrics[SKIPPED]

    def wait(self) -> None:
        """Waits for the last dispatched step; raises as `after_dispatch`."""
        if self._pending is None:
            return
        (step, batch, skipped), self._pending = self._pending, None
        if not float(skipped):
            self._consecutive = 0
            return
        self._consecutive += 1
        self._unreported += 1
        if self._consecutive == self._limit:
            path = save_batch(self._workdir, batch)
            raise FloatingPointError(
                f"Loss or gradient was not finite in {self._limit} consecutive steps, the last of "
                f"them from step {step} to {step + 1}; none of these updates was applied. The last "
                f"batch was saved to {path}. Lower train.learning_rate, or raise "
                "train.max_non_finite."
            )

    def pop_skipped(self) -> int:
        """Returns the number of updates skipped since the last call."""
        self.wait()
        count, self._unreported = self._unreported, 0
        return count


def save_batch(workdir: str, batch: Mapping[str, np.ndarray]) -> epath.Path:
    """Writes this process's part of a batch, strings included, as a file for `np.load`."""
    suffix = f"_{jax.process_index()}" if jax.process_count() > 1 else ""
    path = epath.Path(workdir) / f"offending_batch{suffix}.npz"
    buffer = io.BytesIO()
    arrays: dict[str, Any] = dict(batch)
    np.savez_compressed(buffer, **arrays)
    path.write_bytes(buffer.getvalue())
    return path
