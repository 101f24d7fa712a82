"""Profiler traces and a compilation counter."""

from typing import Any

import jax
from jax import monitoring

_COMPILATION = "/jax/core/compile/backend_compile_duration"


class StepProfiler:
    """Profiles a range of steps; TensorBoard's profile plug-in and Perfetto read the trace.

    Args:
      folder: the trace is written below it.
      steps: first and last step, counted from 1; None for no profile.
    """

    def __init__(self, folder: str, steps: tuple[int, int] | None):
        if steps and not 1 <= steps[0] <= steps[1]:
            raise ValueError(f"profile_steps are {steps}; they must satisfy 1 <= first <= last.")
        self._folder, self._steps = folder, steps
        self._running = False

    def before_step(self, step: int, state: Any) -> None:
        """Starts or stops the profiler if due; `step` counts from 1, and `state` is its input."""
        if self._steps is None:
            return
        if self._running and step > self._steps[1]:
            jax.block_until_ready(state)
            self.close()
        elif not self._running and step == self._steps[0]:
            jax.block_until_ready(state)
            jax.profiler.start_trace(self._folder)
            self._running = True

    def close(self) -> None:
        if self._running:
            jax.profiler.stop_trace()
            self._running = False


class CompilationCounter:
    """Counts this process's compilations; after the first steps of a run there should be none."""

    def __init__(self) -> None:
        self._count = 0
        monitoring.register_event_duration_secs_listener(self._on_event)

    def _on_event(self, event: str, duration_secs: float, **_: Any) -> None:
        self._count += event == _COMPILATION

    def pop_count(self) -> int:
        """Returns the number of compilations since the last call."""
        count, self._count = self._count, 0
        return count

    def close(self) -> None:
        monitoring.unregister_event_duration_listener(self._on_event)
