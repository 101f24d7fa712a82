"""Trains a restorer, an estimator, or both jointly.

    python -m experiments.train --config=experiments/configs/tiny.py --workdir=DIR \
      --config.data.train_dir=FOLDER [--config.data.eval_dir=FOLDER] [--config.KEY=VALUE …]

Run again with the same --workdir to continue from its latest checkpoint. SIGTERM and SIGINT save
and leave, with exit codes 143 and 130; a second one leaves at once. What cannot be used, and
gradients that stay non-finite, end the program with one line and exit code 1.

Many hosts run the same command with --distributed, where a TPU pod, Slurm or GKE says who they are,
or else each with --coordinator_address=HOST:PORT --num_processes=N --process_id=I (docs/tpu.md).
"""

import contextlib
import functools
import json
from collections.abc import Callable

import jax
from absl import flags
from etils import epath
from ml_collections import config_flags

from agarnet_jax import distributed, runtime, weights
from agarnet_jax.checkpoint import CheckpointError
from agarnet_jax.configs import to_plain
from agarnet_jax.places import check_reachable, is_remote
from agarnet_jax.sharding import check_batch_size, make_mesh
from agarnet_jax.training.growth import MisfitError
from agarnet_jax.training.loop import train
from agarnet_jax.training.state import TrainState
from data_pipelines import batching
from experiments import program
from experiments.config import ExperimentConfig, from_config_dict

_CONFIG = config_flags.DEFINE_config_file("config", None, "Experiment configuration file.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for checkpoints and logs.", required=True)
_STOP_AT = flags.DEFINE_integer(
    "stop_at", None, "Save and leave at this step, to continue later.", lower_bound=1
)
_PROFILE = flags.DEFINE_list(
    "profile_steps", None, "FIRST,LAST step, from 1, to profile below WORKDIR/profile."
)
_DISTRIBUTED = flags.DEFINE_boolean("distributed", False, "One of many processes of one run.")
_COORDINATOR = flags.DEFINE_string("coordinator_address", None, "HOST:PORT of process 0.")
_PROCESSES = flags.DEFINE_integer("num_processes", None, "How many processes the run has.")
_PROCESS = flags.DEFINE_integer("process_id", None, "Which of them this one is, from 0.")
_PROCESS_TIMEOUT = flags.DEFINE_float(
    "process_timeout", 60, "Seconds without a sign of life after which a process counts as lost."
)


def run(
    experiment: ExperimentConfig,
    workdir: str,
    *,
    stop_at: int | None = None,
    on_evaluation: Callable[[int, float], None] | None = None,
    profile_steps: tuple[int, int] | None = None,
) -> TrainState:
    """Builds the pipelines and trains; returns the final state. Arguments as of `loop.train`."""
    data, settings = experiment.data, experiment.train
    processes = {"process_index": jax.process_index(), "process_count": jax.process_count()}
    eval_batches = None
    with program.one_line_errors():
        mesh, accumulation = make_mesh(fsdp=settings.fsdp), settings.accumulation
        for phase in data.phases(settings.batch_size):
            name = "train.batch_size or data.crop_schedule"
            check_batch_size(name, phase.batch_size, mesh, accumulation=accumulation)
        initial_params = None if _has_checkpoint(workdir) else experiment.initial_params()
        source = batching.train_source(data)
        images = {"training_images": source.summary(), "held_out_images": "none"}
        if data.eval_dir:
            check_batch_size("data.eval_batch_size", data.eval_batch_size, mesh)
            held_out = batching.eval_source(data)
            images["held_out_images"] = held_out.summary()
            eval_batches = functools.partial(
                batching.eval_batches, held_out, config=data, **processes
            )
        distributed.check_alike(
            settings=_without_places(experiment),
            initial_weights="none" if initial_params is None else weights.digest(initial_params),
            **images,
        )
        if not is_remote(workdir):
            epath.Path(workdir).mkdir(parents=True, exist_ok=True)
    distributed.say(f"{len(source)} training images, {source.skipped} skipped.")

    batches_from = functools.partial(
        batching.train_batches,
        source,
        config=data,
        batch_size=settings.batch_size,
        seed=settings.seed,
        **processes,
    )
    with contextlib.ExitStack() as stack:
        state = train(
            experiment.make_task(),
            config=settings,
            batches_from=lambda start: stack.enter_context(
                contextlib.closing(batches_from(start=start))
            ),
            eval_batches=eval_batches,
            workdir=workdir,
            resolved_config=to_plain(experiment),
            initial_params=initial_params,
            stop_at=stop_at,
            on_evaluation=on_evaluation,
            profile_steps=profile_steps,
        )
    distributed.say(f"{source.skipped} images were skipped as broken or too small.")
    return state


def _has_checkpoint(workdir: str) -> bool:
    return any(path.name.isdigit() for path in (epath.Path(workdir) / "checkpoints").glob("*"))


def _without_places(experiment: ExperimentConfig) -> str:
    """The configuration as JSON, less what may lie elsewhere on each host."""
    settings = to_plain(experiment)
    settings["data"] |= {"train_dir": "", "eval_dir": ""}
    return json.dumps(settings | {"init_from": ""})


def _profile_steps() -> tuple[int, int] | None:
    if not _PROFILE.value:
        return None
    try:
        first, last = map(int, _PROFILE.value)
        if 1 <= first <= last:
            return first, last
    except ValueError:
        pass
    given = ",".join(_PROFILE.value)
    raise ValueError(f"--profile_steps is {given}; it takes the first and last step, as 10,20.")


def _joined() -> contextlib.AbstractContextManager[None]:
    """What the flags say of other processes."""
    cluster = distributed.Cluster(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
    if _DISTRIBUTED.value or cluster != distributed.Cluster():
        return distributed.joined(cluster, timeout=_PROCESS_TIMEOUT.value)
    return contextlib.nullcontext()


def main() -> None:
    with contextlib.ExitStack() as stack:
        with program.one_line_errors():
            experiment = from_config_dict(_CONFIG.value)
            profile_steps = _profile_steps()
            check_reachable(_WORKDIR.value)
            stack.enter_context(_joined())
        runtime.prepare(batch_size=experiment.devices_divide)
        distributed.say(f"Configuration: {json.dumps(to_plain(experiment))}")
        try:
            run(experiment, _WORKDIR.value, stop_at=_STOP_AT.value, profile_steps=profile_steps)
        except (CheckpointError, MisfitError, FloatingPointError) as error:
            raise SystemExit(f"{error}") from None


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    program.start(main)
