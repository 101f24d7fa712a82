"""Looking into the running program: traces and compilations."""

from typing import Any

import jax
from jax import monitoring

_COMPILATION = "/jax/core/compile/backend_compile_duration"


class Trace:
    """A profile of `steps`, first and last, numbered from 1, that is written below `folder`.

    None is for no profile. TensorBoard's profile plug-in and Perfetto read it.
    """

    def __init__(self, folder: str, steps: tuple[int, int] | None):
        if steps and not 1 <= steps[0] <= steps[1]:
            raise ValueError(f"profile_steps are {steps}; use two with 1 <= first <= last.")
        self._folder, self._steps = folder, steps
        self._running = False

    def before(self, step: int, state: Any) -> None:
        """Begins or ends the profile, if due, where step number `step` is about to begin."""
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
    """A counter of this process's compilations; once a training has begun there should be none."""

    def __init__(self) -> None:
        self._count = 0
        monitoring.register_event_duration_secs_listener(self._note)

    def _note(self, event: str, duration_secs: float, **_: Any) -> None:
        self._count += event == _COMPILATION

    def pop_count(self) -> int:
        count, self._count = self._count, 0
        return count

    def close(self) -> None:
        monitoring.unregister_event_duration_listener(self._note)
