"""One training run from its experiment: opens the pipelines, checks all processes, and trains."""

import contextlib
import functools
import json
from collections.abc import Callable

import flax.traverse_util
import jax
from etils import epath

from agarnet_jax import distributed, weights
from agarnet_jax.checkpoint import has_checkpoint
from agarnet_jax.configs import to_plain
from agarnet_jax.places import is_remote
from agarnet_jax.sharding import check_batch_size, make_mesh
from agarnet_jax.training.loop import train
from agarnet_jax.training.state import TrainState
from data_pipelines import batching
from experiments import program
from experiments.config import ExperimentConfig


def run(
    experiment: ExperimentConfig,
    workdir: str,
    *,
    stop_at: int | None = None,
    on_evaluation: Callable[[int, float], None] | None = None,
    before_leaving: Callable[[], None] | None = None,
    profile_steps: tuple[int, int] | None = None,
) -> TrainState:
    """Returns the final state. Arguments and errors as of `loop.train`.

    What a user can mend ends the program with one line (`program.one_line_errors`).
    """
    data, settings = experiment.data, experiment.train
    processes = {"process_index": jax.process_index(), "process_count": jax.process_count()}
    eval_batches = None
    with program.one_line_errors():
        mesh, accumulation = make_mesh(fsdp=settings.fsdp), settings.accumulation
        for phase in data.phases(settings.batch_size):
            name = "train.batch_size or data.crop_schedule"
            check_batch_size(name, phase.batch_size, mesh, accumulation=accumulation)
        continues = has_checkpoint(f"{workdir}/checkpoints")
        initial_params = None if continues else experiment.initial_params()
        source = batching.train_source(data)
        held_out_images = "none"
        if data.eval_dir:
            check_batch_size("data.eval_batch_size", data.eval_batch_size, mesh)
            held_out = batching.eval_source(data)
            held_out_images = held_out.summary()
            eval_batches = functools.partial(
                batching.eval_batches, held_out, config=data, **processes
            )
        distributed.check_alike(
            {
                **_settings(experiment),
                "--stop_at": f"{stop_at}",
                "whether --workdir has a checkpoint": f"{continues}",
                "the initial weights": weights.digest(initial_params) if initial_params else "none",
                "the training images": source.summary(),
                "the held-out images": held_out_images,
            }
        )
        if not is_remote(workdir):
            epath.Path(workdir).mkdir(parents=True, exist_ok=True)
        distributed.check_shared(workdir)
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
            before_leaving=before_leaving,
            profile_steps=profile_steps,
        )
    distributed.say(f"{source.skipped} files were skipped; the log names them.")
    return state


def _settings(experiment: ExperimentConfig) -> dict[str, str]:
    """Each setting as JSON; weights to start from are compared by themselves."""
    settings = {"config": experiment.settings() | {"init_from": ""}}
    flat = flax.traverse_util.flatten_dict(settings, sep=".")
    return {name: json.dumps(value) for name, value in flat.items()}
