"""Beam on this machine: in several processes, without a network."""

import concurrent.futures
import contextlib
import os
import pathlib
import shlex
import sys
import tempfile
import threading
from collections.abc import Iterator

import data_pipelines
from data_pipelines.preparation.quiet_beam import (
    DirectOptions,
    JobServiceHandle,
    PipelineOptions,
    SubprocessSDKEnvironment,
    beam,
    beam_provision_api_pb2,
    fn_runner,
)


class WorkerError(RuntimeError):
    """The early end of a worker process, perhaps for want of memory."""


@contextlib.contextmanager
def runner(options: PipelineOptions) -> Iterator[fn_runner.FnApiRunner]:
    """Gives the runner behind Beam's "DirectRunner", which itself would first download another.

    Takes `direct_running_mode` out of the options where it starts processes of its own; they end
    when this is left, or with this process.
    """
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options(drop_default=True))
    provision = fn_runner.ExtendedProvisionInfo(
        beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    )
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode != "multi_processing":
        yield fn_runner.FnApiRunner(provision_info=provision)
        return
    import fcntl  # which Windows lacks, where one process will do

    # Beam's own command for this mode logs every step, and outlives this process for a while.
    direct.direct_running_mode = None
    packages = str(pathlib.Path(data_pipelines.__file__).parents[1])
    path = os.pathsep.join(filter(None, [packages, os.environ.get("PYTHONPATH")]))
    with tempfile.NamedTemporaryFile(prefix="beam-") as lock:
        # The system unlocks it when this process ends, however that comes about.
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = (
            f"PYTHONPATH={shlex.quote(path)} "
            f"exec {shlex.quote(sys.executable)} -m data_pipelines.preparation.worker "
            f"{shlex.quote(lock.name)}"
        )
        yield fn_runner.FnApiRunner(
            default_environment=SubprocessSDKEnvironment.from_command_string(command),
            provision_info=provision,
        )


def finish(pipeline: beam.Pipeline) -> str:
    """Runs a pipeline; returns its final state.

    Raises:
      WorkerError: a worker process ended; Beam itself would wait for it for ever.
    """
    ended: concurrent.futures.Future[str] = concurrent.futures.Future()

    def end(state: str | None = None, error: BaseException | None = None) -> None:
        with contextlib.suppress(concurrent.futures.InvalidStateError):  # the first one counts
            if error is None:
                ended.set_result(state or "")
            else:
                ended.set_exception(error)

    def run() -> None:
        try:
            end(pipeline.run().wait_until_finish())
        except BaseException as error:
            end(error=error)

    def on_error(arguments: threading.ExceptHookArgs) -> None:
        # The thread in which Beam waits for a worker process, by the name it gives it.
        if arguments.thread is not None and arguments.thread.name == "run_worker":
            end(error=WorkerError(f"{arguments.exc_value}"))
        else:
            former_hook(arguments)

    former_hook, threading.excepthook = threading.excepthook, on_error
    try:
        threading.Thread(target=run, daemon=True).start()
        return ended.result()
    finally:
        threading.excepthook = former_hook
