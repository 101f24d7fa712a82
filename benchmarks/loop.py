"""Overhead of the training loop per step: logging, guards and checkpoints.

    python -m benchmarks.loop [--configs=smoke,tiny --steps=200 --rounds=3]

Bare steps run the same compiled step on the same batches without the loop. They are timed in turn
with the loop, whose own figure is used (`train/steps_per_second` of its log, which includes
checkpoints but not compilation). The last column assumes a checkpoint every 1,000 steps, the
default.
"""

import dataclasses
import importlib
import itertools
import json
import pathlib
import statistics
import tempfile
import time
from collections.abc import Iterator

import jax
import numpy as np
from absl import flags

from agarnet_jax import runtime
from agarnet_jax.sharding import global_batch, make_mesh, replicate
from agarnet_jax.training import loop
from agarnet_jax.training.initial import initial_state
from agarnet_jax.training.step import make_train_step
from benchmarks.timing import print_table, spread
from benchmarks.training import random_batch
from experiments import program
from experiments.config import ExperimentConfig, from_config_dict

_CONFIGS = flags.DEFINE_list("configs", ["smoke", "tiny"], "Configurations in experiments/configs.")
_STEPS = flags.DEFINE_integer("steps", 200, "Steps per measurement.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Timing rounds.")


def bare_seconds(experiment: ExperimentConfig) -> Iterator[float]:
    """Yields the seconds of a bare step, measured again at each `next`."""
    mesh, task, config = make_mesh(), experiment.make_task(), experiment.train
    step = make_train_step(task, config, mesh)
    rate = replicate(np.float32(config.learning_rate), mesh)
    state = initial_state(task, config, mesh, None)
    batch = random_batch(config.batch_size, experiment.data.crop)
    state, _ = step(state, global_batch(batch, mesh), rate)
    while True:
        jax.block_until_ready(state)
        start = time.perf_counter()
        for _ in range(_STEPS.value):
            state, _ = step(state, global_batch(batch, mesh), rate)
        jax.block_until_ready(state)
        yield (time.perf_counter() - start) / _STEPS.value


def loop_seconds(experiment: ExperimentConfig, *, checkpoints: int) -> float:
    """Measures the seconds per step in the loop's second interval, with `checkpoints` saved."""
    interval = _STEPS.value // max(1, checkpoints)
    config = dataclasses.replace(
        experiment.train,
        steps=10**6,
        log_every=_STEPS.value,
        checkpoint_every=interval if checkpoints else 10**6,
    )
    batch = random_batch(config.batch_size, experiment.data.crop)
    with tempfile.TemporaryDirectory() as workdir:
        loop.train(
            experiment.make_task(),
            config=config,
            batches_from=lambda _: itertools.repeat(batch),
            eval_batches=None,
            workdir=workdir,
            resolved_config={},
            # The final checkpoint falls into a third interval, which is not measured.
            stop_at=2 * _STEPS.value + 1,
        )
        lines = (pathlib.Path(workdir) / "metrics.jsonl").read_text().splitlines()
    return 1 / json.loads(lines[1])["train/steps_per_second"]


def measure(name: str) -> tuple[str, ...]:
    config = importlib.import_module(f"experiments.configs.{name}").get_config()
    experiment = from_config_dict(config)
    bare = bare_seconds(experiment)
    seconds: dict[str, list[float]] = {"bare": [], "loop": [], "saving": []}
    for _ in range(_ROUNDS.value):
        seconds["bare"].append(next(bare))
        seconds["loop"].append(loop_seconds(experiment, checkpoints=0))
        seconds["saving"].append(loop_seconds(experiment, checkpoints=2))
    step = statistics.median(seconds["bare"])
    overhead = [a / b - 1 for a, b in zip(seconds["loop"], seconds["bare"])]
    checkpoint = [(a - b) * _STEPS.value / 2 for a, b in zip(seconds["saving"], seconds["loop"])]
    return (
        name,
        f"{1000 * step:.1f}",
        spread([100 * fraction for fraction in overhead], 1),
        spread(checkpoint),
        f"{100 * statistics.median(checkpoint) / (1000 * step):.2f}",
    )


def main() -> None:
    runtime.prepare(batch_size=8)
    print_table(
        "Overhead of the training loop",
        ("", "bare step, ms", "loop, +%", "checkpoint, s", "checkpoint every 1,000 steps, +%"),
        [measure(name) for name in _CONFIGS.value],
    )


if __name__ == "__main__":
    program.start(main)
