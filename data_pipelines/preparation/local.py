"""Runs Beam on this machine, in several processes and without network access."""

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
    """Raised when a worker process ends early, perhaps because memory ran out."""


@contextlib.contextmanager
def runner(options: PipelineOptions) -> Iterator[fn_runner.FnApiRunner]:
    """Yields the runner behind Beam's "DirectRunner", which would first download another runner.

    For the multi-processing mode, clears `direct_running_mode` in the options and starts worker
    processes of our own. They exit when the context is left, or with this process.
    """
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options(drop_default=True))
    provision = fn_runner.ExtendedProvisionInfo(
        beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    )
    direct = options.view_as(DirectOptions)
    if direct.direct_running_mode != "multi_processing":
        yield fn_runner.FnApiRunner(provision_info=provision)
        return
    import fcntl  # imported late: Windows lacks it, and a run in one process needs none

    # The workers that Beam would start log every step and outlive this process for a while.
    direct.direct_running_mode = None
    packages = str(pathlib.Path(data_pipelines.__file__).parents[1])
    path = os.pathsep.join(filter(None, [packages, os.environ.get("PYTHONPATH")]))
    with tempfile.NamedTemporaryFile(prefix="beam-") as lock:
        # The operating system releases the lock when this process ends, for whatever reason.
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
    """Runs a pipeline and returns its final state.

    Raises:
      WorkerError: a worker process ended early; Beam itself would wait for it forever.
    """
    final_state: concurrent.futures.Future[str] = concurrent.futures.Future()

    def run() -> None:
        with contextlib.suppress(concurrent.futures.InvalidStateError):  # a worker has ended
            try:
                final_state.set_result(pipeline.run().wait_until_finish())
            except BaseException as error:
                final_state.set_exception(error)

    def on_error(arguments: threading.ExceptHookArgs) -> None:
        # Beam waits for each worker process in a thread of this name.
        if arguments.thread is not None and arguments.thread.name == "run_worker":
            with contextlib.suppress(concurrent.futures.InvalidStateError):  # the first one counts
                final_state.set_exception(WorkerError(f"{arguments.exc_value}"))
        else:
            previous_hook(arguments)

    previous_hook, threading.excepthook = threading.excepthook, on_error
    try:
        threading.Thread(target=run, daemon=True).start()
        return final_state.result()
    finally:
        threading.excepthook = previous_hook
