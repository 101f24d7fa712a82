"""Looking into the running program: traces, compilations, and use of the device's peak."""

from collections.abc import Mapping
from typing import Any

import jax
from jax import monitoring

# Floating-point operations per second of one JAX device, dense bfloat16 with float32 accumulation,
# as its maker states: Google Cloud's TPU pages (v2 and v3 have two devices a chip), NVIDIA's data
# sheets of the SXM forms, L4 and T4.
PEAK_FLOPS = {
    "TPU v2": 22.5e12,
    "TPU v3": 61.5e12,
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5": 459e12,
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,
    "NVIDIA H200": 989e12,
    "NVIDIA H100 80GB HBM3": 989e12,
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA L4": 121e12,
    "Tesla V100-SXM2-16GB": 125e12,
    "Tesla T4": 65e12,
}
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

    def since_asked(self) -> int:
        count, self._count = self._count, 0
        return count

    def close(self) -> None:
        monitoring.unregister_event_duration_listener(self._note)


class Utilization:
    """The share of the devices' peak that the model's floating-point operations make up.

    They are counted by XLA in the step before its optimizations, so recomputation counts once
    for each time it is written down, and a loop over `microbatches` as one of them. Nothing is
    reported of devices whose peak is not known.
    """

    def __init__(self, device_kind: str, devices: int, *, microbatches: int = 1):
        self._peak = PEAK_FLOPS.get(device_kind, 0.0) * devices
        self._microbatches = microbatches
        self._flops: dict[tuple[int, ...], float] = {}
        self._shape: tuple[int, ...] = ()

    def at(
        self, train_step: Any, state: Any, batch: Mapping[str, jax.Array], rate: jax.Array
    ) -> None:
        """Notes what steps from here on are given; counts their operations if shapes are new."""
        if not self._peak:
            return
        self._shape = batch["degraded"].shape
        if self._shape not in self._flops:
            costs = train_step.lower(state, batch, rate).cost_analysis()
            self._flops[self._shape] = self._microbatches * (costs or {}).get("flops", 0.0)

    def scalars(self, steps_per_second: float) -> dict[str, float]:
        """Returns `model_flop_utilization`, 0–1, where it is known."""
        flops = self._flops.get(self._shape, 0.0)
        return {"model_flop_utilization": flops * steps_per_second / self._peak} if flops else {}
