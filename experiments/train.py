"""Trains a restorer or an estimator.

    python -m experiments.train --config=experiments/configs/tiny.py --workdir=DIR \
      --config.data.train_dir=FOLDER [--config.data.eval_dir=FOLDER] [--config.KEY=VALUE …]

Run again with the same --workdir to continue from its latest checkpoint.
"""

import functools
import json
import math

import jax
from absl import flags
from ml_collections import config_flags

from agarnet_jax import runtime, weights
from agarnet_jax.configs import to_plain
from agarnet_jax.training.loop import train
from agarnet_jax.training.state import TrainState
from data_pipelines import batching
from experiments import program
from experiments.config import ExperimentConfig, from_config_dict

_CONFIG = config_flags.DEFINE_config_file("config", None, "Experiment configuration file.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for checkpoints and logs.", required=True)
_STOP_AT = flags.DEFINE_integer("stop_at", None, "Save and leave at this step, to continue later.")


def run(experiment: ExperimentConfig, workdir: str, *, stop_at: int | None = None) -> TrainState:
    """Builds the pipelines and trains; returns the final state."""
    data, settings = experiment.data, experiment.train
    processes = {"process_index": jax.process_index(), "process_count": jax.process_count()}
    source = batching.train_source(data)
    eval_batches = None
    if data.eval_dir:
        held_out = batching.eval_source(data)
        eval_batches = functools.partial(batching.eval_batches, held_out, config=data, **processes)
    print(f"{len(source)} training images, {source.skipped} skipped.", flush=True)

    state = train(
        experiment.make_task(),
        config=settings,
        batches_from=lambda start: batching.train_batches(
            source,
            config=data,
            batch_size=settings.batch_size,
            seed=settings.seed,
            start=start,
            **processes,
        ),
        eval_batches=eval_batches,
        workdir=workdir,
        resolved_config=to_plain(experiment),
        initial_params=_initial_params(experiment),
        stop_at=stop_at,
    )
    print(f"{source.skipped} images were skipped as broken or too small.")
    return state


def _initial_params(experiment: ExperimentConfig):
    """What `init_from` names for this task, or None."""
    if not experiment.init_from:
        return None
    trained = weights.load(experiment.init_from)
    return trained.restorer_params if experiment.task == "restorer" else trained.estimator_params


def main() -> None:
    experiment = from_config_dict(_CONFIG.value)
    runtime.prepare(
        batch_size=math.gcd(experiment.train.batch_size, experiment.data.eval_batch_size)
    )
    print(f"Configuration: {json.dumps(to_plain(experiment))}", flush=True)
    run(experiment, _WORKDIR.value, stop_at=_STOP_AT.value)


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    program.start(main)
