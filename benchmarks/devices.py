"""Training steps and crops per second, each batch split over 1, 2, 4 and 8 CPU devices.

    python -m benchmarks.devices [--config=experiments/configs/smoke.py --devices=1,2,4,8]

All meshes consist of devices of one process and are timed in turn. With fewer cores than devices,
the table shows the overhead of more devices rather than a speedup. The last rows set `train.fsdp`
and `train.accumulation` on the largest mesh. Ratios are relative to the first row, paired by round.
"""

import dataclasses
import statistics
from typing import Any

import jax
from absl import flags
from ml_collections import config_flags

from agarnet_jax import runtime
from agarnet_jax.sharding import make_mesh
from agarnet_jax.training.initial import initial_state
from benchmarks.timing import Case, compare, milliseconds, print_table, spread
from benchmarks.training import random_batch, training_step
from experiments import program
from experiments.config import ExperimentConfig, from_config_dict

_CONFIG = config_flags.DEFINE_config_file(
    "config", "experiments/configs/smoke.py", "Experiment configuration of a restorer."
)
_DEVICES = flags.DEFINE_list("devices", ["1", "2", "4", "8"], "Device counts.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "Crops per batch, over all devices.")
_ROUNDS = flags.DEFINE_integer("rounds", 9, "Timing rounds.")


def step_case(
    experiment: ExperimentConfig,
    params: Any,
    *,
    devices: int,
    fsdp: int = 1,
    accumulation: int = 1,
) -> Case:
    config = dataclasses.replace(experiment.train, accumulation=accumulation)
    mesh = make_mesh(jax.devices()[:devices], fsdp=fsdp)
    batch = random_batch(_BATCH_SIZE.value, experiment.data.crop)
    return training_step(experiment.make_task(), config, mesh, params=params, batch=batch)


def main() -> None:
    counts = sorted(int(count) for count in _DEVICES.value)
    jax.config.update("jax_num_cpu_devices", counts[-1])
    runtime.use_compilation_cache()
    runtime.keep_freed_memory()
    experiment = from_config_dict(_CONFIG.value)
    # Kept on the host, since a training step donates its state.
    state = initial_state(experiment.make_task(), experiment.train, make_mesh(), None)
    params = jax.device_get(state.params)
    largest = counts[-1]
    variants = {f"{count} device(s)": {"devices": count} for count in counts}
    variants[f"{largest}, fsdp {largest}"] = {"devices": largest, "fsdp": largest}
    variants[f"{largest}, accumulation 2"] = {"devices": largest, "accumulation": 2}
    cases = {name: step_case(experiment, params, **case) for name, case in variants.items()}
    timings = compare(cases, rounds=_ROUNDS.value)
    first = timings[f"{counts[0]} device(s)"]
    print_table(
        f"Training steps, batches of {_BATCH_SIZE.value} crops of "
        f"{experiment.data.crop}×{experiment.data.crop}",
        ("", "ms", "steps/s", "crops/s", f"time / time of {counts[0]} device(s)"),
        [
            (
                name,
                spread(milliseconds(timing.wall), 1),
                f"{1 / statistics.median(timing.wall):.1f}",
                f"{_BATCH_SIZE.value / statistics.median(timing.wall):.0f}",
                spread(timing.ratio(first)),
            )
            for name, timing in timings.items()
        ],
    )


if __name__ == "__main__":
    program.start(main)
