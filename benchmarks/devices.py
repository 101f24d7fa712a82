"""Training steps and crops per second on 1, 2, 4 and 8 CPU devices that share each batch.

    python -m benchmarks.devices [--config=experiments/configs/smoke.py --devices=1,2,4,8]

Meshes are made of devices of one process and take turns. Where there are fewer cores than devices
there is little to gain; the table shows what more of them cost. The last rows are `train.fsdp` and
`train.accumulation` on the largest mesh. Ratios are times beside one device's, paired by round.
"""

import dataclasses
import statistics
from typing import Any

import jax
import numpy as np
from absl import flags
from ml_collections import config_flags

from agarnet_jax import runtime
from agarnet_jax.sharding import global_batch, make_mesh, on_every_device
from agarnet_jax.training.initial import fresh_state
from agarnet_jax.training.optimizer import make_optimizer
from agarnet_jax.training.state import TrainState
from agarnet_jax.training.step import make_train_step, state_shardings
from benchmarks.timing import Case, compare, milliseconds, print_table, spread
from experiments import program
from experiments.config import ExperimentConfig, from_config_dict

_CONFIG = config_flags.DEFINE_config_file(
    "config", "experiments/configs/smoke.py", "Experiment configuration of a restorer."
)
_DEVICES = flags.DEFINE_list("devices", ["1", "2", "4", "8"], "Numbers of devices.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "Crops of a batch, over all devices.")
_ROUNDS = flags.DEFINE_integer("rounds", 9, "Rounds of each case.")


def batch_of(count: int, side: int) -> dict[str, np.ndarray]:
    """Makes a random batch like those of the training pipeline."""
    rng = np.random.default_rng(0)
    clean, degraded = rng.integers(0, 256, (2, count, side, side, 1), np.uint8)
    return {
        "clean": clean,
        "degraded": degraded,
        "quality": rng.integers(1, 101, (count, 1, 1, 1)).astype(np.float32),
        "tables": rng.integers(1, 100, (count, 1, 1, 64), np.uint8),
    }


def step_case(
    experiment: ExperimentConfig,
    params: Any,
    *,
    devices: int,
    fsdp: int = 1,
    accumulation: int = 1,
) -> Case:
    """Prepares a training step, from a batch on the host to the loss."""
    task = experiment.make_task()
    config = dataclasses.replace(experiment.train, accumulation=accumulation)
    mesh = make_mesh(jax.devices()[:devices], fsdp=fsdp)
    step, at = make_train_step(task, config, mesh), state_shardings(task, config, mesh)
    state = jax.device_put(TrainState.create(params, make_optimizer(config)), at)
    rate = on_every_device(np.float32(config.learning_rate), mesh)
    host_batch = batch_of(_BATCH_SIZE.value, experiment.data.crop)

    def run() -> None:
        nonlocal state
        state, metrics = step(state, global_batch(host_batch, mesh), rate)
        metrics["loss"].block_until_ready()

    return run


def main() -> None:
    counts = sorted(int(count) for count in _DEVICES.value)
    jax.config.update("jax_num_cpu_devices", counts[-1])
    runtime.use_compilation_cache()
    runtime.keep_freed_memory()
    experiment = from_config_dict(_CONFIG.value)
    # On the host, since a training step donates what it is given.
    state = fresh_state(experiment.make_task(), experiment.train, make_mesh(), None)
    params = jax.device_get(state.params)
    most = counts[-1]
    variants = {f"{count} device(s)": {"devices": count} for count in counts}
    variants[f"{most}, fsdp {most}"] = {"devices": most, "fsdp": most}
    variants[f"{most}, accumulation 2"] = {"devices": most, "accumulation": 2}
    cases = {name: step_case(experiment, params, **case) for name, case in variants.items()}
    timings = compare(cases, rounds=_ROUNDS.value)
    first = timings[f"{counts[0]} device(s)"]
    print_table(
        f"Training steps, batches of {_BATCH_SIZE.value} crops of "
        f"{experiment.data.crop}×{experiment.data.crop}",
        ("", "ms", "steps/s", "crops/s", f"× time of {counts[0]}"),
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
