"""Runs the training of one experiment: opens the data, checks that all processes agree, trains."""

import contextlib
import functools
import json
from collections.abc import Callable, Generator, Iterator

import flax.traverse_util
import jax
from etils import epath

from agarnet_jax import atomic_files, distributed, weights
from agarnet_jax.checkpoint import has_checkpoint
from agarnet_jax.configs import to_plain
from agarnet_jax.remote_paths import is_remote
from agarnet_jax.sharding import check_batch_size, make_mesh
from agarnet_jax.training.folder_lock import locked
from agarnet_jax.training.loop import train
from agarnet_jax.training.observers import IMAGES
from agarnet_jax.training.state import TrainState
from data_pipelines import batching, held_out
from data_pipelines.sources.images import ImageSource
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
    wait_for_folder: bool = False,
) -> TrainState:
    """Trains and returns the final state. Arguments and errors are those of `loop.train`.

    Errors that the user can fix end the program with one line (`program.one_line_errors`). One of
    them is another training in `workdir`; `wait_for_folder` first waits some minutes for its end.
    """
    with program.one_line_errors():
        if not is_remote(workdir):
            atomic_files.check_folder(workdir)
        _check_batch_sizes(experiment)
        continues = has_checkpoint(f"{workdir}/checkpoints")
        initial_params = None if continues else experiment.initial_params()
        source = batching.train_source(experiment.data)
        eval_source = held_out.eval_source(experiment.data) if experiment.data.eval_dir else None
        images = {
            "training": source.summary(),
            "held-out": eval_source.summary() if eval_source else "none",
        }
        distributed.check_identical(
            {
                **_settings(experiment),
                "--stop_at": f"{stop_at}",
                "whether --workdir has a checkpoint": f"{continues}",
                "the initial weights": weights.digest(initial_params) if initial_params else "none",
                **{f"the {name} images": summary for name, summary in images.items()},
            }
        )
        _make_shared_folder(workdir)
    with contextlib.ExitStack() as stack:
        if jax.process_index() == 0:
            with program.one_line_errors():
                stack.enter_context(locked(workdir, wait=wait_for_folder))
        distributed.print_once(f"{len(source)} training images, {source.skipped} skipped.")
        state = train(
            experiment.make_task(),
            config=experiment.train,
            batches_from=lambda start: stack.enter_context(
                contextlib.closing(_train_batches(experiment, source, start))
            ),
            eval_batches=_eval_batches(experiment, eval_source),
            workdir=workdir,
            resolved_config=to_plain(experiment) | {IMAGES: images},
            initial_params=initial_params,
            stop_at=stop_at,
            on_evaluation=on_evaluation,
            before_leaving=before_leaving,
            profile_steps=profile_steps,
        )
    if source.skipped:
        distributed.print_once(f"{source.skipped} files were skipped; the log names them.")
    return state


def _check_batch_sizes(experiment: ExperimentConfig) -> None:
    """Raises ValueError unless every batch divides evenly over the devices of all processes."""
    data, settings = experiment.data, experiment.train
    mesh = make_mesh(fsdp=settings.fsdp)
    for phase in data.phases(settings.batch_size):
        name = "train.batch_size or data.crop_schedule"
        check_batch_size(name, phase.batch_size, mesh, accumulation=settings.accumulation)
    if data.eval_dir:
        check_batch_size("data.eval_batch_size", data.eval_batch_size, mesh)


def _make_shared_folder(workdir: str) -> None:
    """Creates the working folder; raises ValueError if the processes do not share it."""
    if not is_remote(workdir):
        epath.Path(workdir).mkdir(parents=True, exist_ok=True)
    distributed.check_shared(workdir)


def _train_batches(
    experiment: ExperimentConfig, source: ImageSource, start: int
) -> Generator[batching.Batch, None, None]:
    return batching.train_batches(
        source,
        config=experiment.data,
        batch_size=experiment.train.batch_size,
        seed=experiment.train.seed,
        start=start,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )


def _eval_batches(
    experiment: ExperimentConfig, eval_source: ImageSource | None
) -> Callable[[], Iterator[tuple[str, batching.Batch]]] | None:
    """Returns a function that starts an evaluation; None without held-out images."""
    if eval_source is None:
        return None
    return functools.partial(
        held_out.eval_batches,
        eval_source,
        config=experiment.data,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )


def _settings(experiment: ExperimentConfig) -> dict[str, str]:
    """Returns each setting as JSON, without `init_from`: initial weights are compared by digest."""
    settings = {"config": experiment.settings() | {"init_from": ""}}
    flat = flax.traverse_util.flatten_dict(settings, sep=".")
    return {name: json.dumps(value) for name, value in flat.items()}
